"""What people see: the admin API and the pages."""

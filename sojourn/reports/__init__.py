"""What came of it all, for people to read: deliverability."""

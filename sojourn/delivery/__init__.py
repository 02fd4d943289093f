"""The gate, the ledger, providers and tracking."""

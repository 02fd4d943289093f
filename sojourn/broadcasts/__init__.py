"""Broadcasts: one content to many people, in pages, through the same gate and ledger as any other message."""

"""What a message says: blocks, tokens, MJML, text."""

"""The HTTP service of the key-value store and the task ledger; only services may call it."""

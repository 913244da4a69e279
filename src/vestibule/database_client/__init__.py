"""The way to the database service: entries and the task ledger."""

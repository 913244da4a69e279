"""The clients of the database service: entries and the task ledger."""

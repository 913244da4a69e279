"""The client of the database service: one transport, and typed calls for entries and for the task ledger."""

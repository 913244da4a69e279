"""The use cases of entries and messages."""

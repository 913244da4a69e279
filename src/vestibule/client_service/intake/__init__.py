"""The use cases of what comes in: add an entry, run a stored value, take a message."""

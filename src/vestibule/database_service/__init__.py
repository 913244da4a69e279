"""The key-value store behind HTTP; only services may call it."""

"""The client service: authenticates callers, screens their data, and forwards it."""

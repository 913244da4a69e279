"""The HTTP API of the business logic service."""

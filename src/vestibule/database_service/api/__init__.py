"""The HTTP API of the database service, one file a resource."""

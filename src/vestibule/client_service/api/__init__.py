"""The HTTP API of the client service, one file a resource."""

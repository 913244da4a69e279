"""The HTTP API of the scheduler service, one file a resource."""

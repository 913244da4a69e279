"""The HTTP frame of a service: application, dispatch, limits, problems, server and the client between services."""

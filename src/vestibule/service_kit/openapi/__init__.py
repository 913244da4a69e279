"""The OpenAPI description of a service: problems, examples and the reference page."""

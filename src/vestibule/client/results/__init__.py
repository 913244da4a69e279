"""The results of the client: what the services answer, as frozen dataclasses, a module for each resource."""

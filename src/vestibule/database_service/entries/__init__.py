"""Entries: the store port, its backends, encryption, tenants and the change stream."""

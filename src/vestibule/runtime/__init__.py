"""Mechanisms that any package may use: plug-ins, private and watched files, batching, backoff, background work."""

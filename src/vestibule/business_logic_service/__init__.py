"""Synchronous processing behind HTTP (service_2); the system runs without it too."""

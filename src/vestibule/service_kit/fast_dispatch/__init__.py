"""Serves plain requests before the framework's router; `benchmarks/fast_dispatch.py` measures what that saves."""

"""The register of callers' tokens: a port, an implementation for each kind of store, and encryption over it."""

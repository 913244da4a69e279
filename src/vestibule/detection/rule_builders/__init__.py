"""Makes rules and detectors from tables and lists of words."""

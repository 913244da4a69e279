"""Real servers for tests, each started on a free port or socket and ended with the session."""

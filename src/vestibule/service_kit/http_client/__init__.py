"""The HTTP client between services: authenticated, traced, bounded in time, with a circuit breaker."""

"""Authentication: tokens of callers, the secret of the services, scopes and the rate limit of failures."""

"""`vestibule policy`: shows, checks and tries out policies."""

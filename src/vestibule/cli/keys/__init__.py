"""`vestibule keys`: the key ring and the secret of the services."""

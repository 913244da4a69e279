"""`vestibule scan`: checks texts and files without a running service."""

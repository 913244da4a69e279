"""`vestibule bench`: measures a running system."""

"""Several processes of a service on one port: their parent, what they share, and the way from one to the others."""

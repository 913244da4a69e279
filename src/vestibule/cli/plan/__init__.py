"""`vestibule plan`: how many of what a number of connections needs, and the manifests for it."""

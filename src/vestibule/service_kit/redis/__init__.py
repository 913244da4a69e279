"""The settings of Redis and the forms of its address."""

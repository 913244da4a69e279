"""The status page and badges, for people with a browser."""

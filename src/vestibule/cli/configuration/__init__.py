"""The settings of an installation as they are in effect."""

"""Erases everything that is stored about a subject."""

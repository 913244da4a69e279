"""Weighs the words around a value: labels, and words that name something else."""

"""Context scoring: the labels around a value, and words that name something else."""

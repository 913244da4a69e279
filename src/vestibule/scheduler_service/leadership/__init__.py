"""Leader election: the lease, its fallback lock, and the jobs of the active scheduler."""

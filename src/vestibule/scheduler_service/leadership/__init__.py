"""Of several schedulers one works: the lease, its fallback lock and the jobs that it permits."""

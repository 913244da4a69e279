"""Metrics in the Prometheus text format, summed up over the processes of a service."""

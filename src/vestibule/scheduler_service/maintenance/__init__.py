"""Maintenance windows, in which outages raise no alerts."""

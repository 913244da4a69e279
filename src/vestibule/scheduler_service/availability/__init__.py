"""Availability of every part: probes, outages, incidents and history."""

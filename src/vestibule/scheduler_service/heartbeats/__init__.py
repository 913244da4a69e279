"""Heartbeats of external jobs: an alert when one is missed."""

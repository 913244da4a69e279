"""Heartbeats of other people's jobs: an alert when one is missed."""

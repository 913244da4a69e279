"""Screens data: scan, policy, alert, audit."""

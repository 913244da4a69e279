"""Screens what comes in: scan, policy, alert, audit."""

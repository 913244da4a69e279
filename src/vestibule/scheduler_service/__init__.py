"""Asks every part regularly whether it answers, and tells when one stops and when it is back."""

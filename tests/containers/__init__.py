"""Deployments in containers that tests build, start, drive like users would, and take away again."""

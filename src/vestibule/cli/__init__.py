"""The `vestibule` program: starts the system, runs its parts, and speaks to a running one."""

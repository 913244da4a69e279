"""The commands for alerts, servers and availability."""

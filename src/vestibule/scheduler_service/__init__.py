"""Monitors every part, alerts on outages and recoveries, and runs schedules."""

"""The monitored parts: the title of each, and the part that it needs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MonitoredPart:
    """A part. While the part that it `needs` is down, its own outage raises no alert."""

    name: str
    title: str
    needs: str | None = None


QUEUE, BACKLOG = "queue", "backlog"
PARTS = {
    part.name: part
    for part in (
        MonitoredPart("client", "Client service"),
        MonitoredPart("database", "Database service"),
        MonitoredPart("store", "Store: write and read", needs="database"),
        MonitoredPart("business_logic", "Business logic service"),
        MonitoredPart(QUEUE, "Redis"),
        MonitoredPart("workers", "Workers", needs=QUEUE),
        MonitoredPart(BACKLOG, "Task queue", needs=QUEUE),
    )
}

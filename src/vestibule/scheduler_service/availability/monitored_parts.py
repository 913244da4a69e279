"""The parts that are watched: what people call each of them, and which other it cannot do without."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MonitoredPart:
    """A part. While the one that it `needs` is away, its own absence is no news."""

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

"""The parts that are watched: what people call each of them, and which other it cannot do without."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """A part. While the one that it `needs` is away, its own absence is no news."""

    name: str
    title: str
    needs: str | None = None


QUEUE, BACKLOG = "queue", "backlog"
PARTS = {
    part.name: part
    for part in (
        Part("client", "Client service"),
        Part("database", "Database service"),
        Part("store", "Store: write and read", needs="database"),
        Part("business_logic", "Business logic service"),
        Part(QUEUE, "Redis"),
        Part("workers", "Workers", needs=QUEUE),
        Part(BACKLOG, "Task queue", needs=QUEUE),
    )
}

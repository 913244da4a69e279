"""The state of each channel: its last delivery, its last failure, and what waits for it."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from vestibule.alerts.store.database import from_us
from vestibule.alerts.store.reader import AlertReader

_DELIVERED = """
    INSERT INTO channel_states (channel, delivered_us) VALUES (?, ?)
    ON CONFLICT (channel) DO UPDATE SET delivered_us = excluded.delivered_us
"""
_FAILED = """
    INSERT INTO channel_states (channel, failed_us, error) VALUES (?, ?, ?)
    ON CONFLICT (channel) DO UPDATE SET failed_us = excluded.failed_us, error = excluded.error
"""
_STATES = "SELECT channel, delivered_us, failed_us, error FROM channel_states"
_WAITING = "SELECT channel, count(*) FROM deliveries WHERE state = 'waiting' GROUP BY channel"


@dataclass(frozen=True, slots=True)
class ChannelState:
    """When a channel last took a notification, when it last failed and why, and how many notifications wait for it."""

    last_delivery: datetime | None = None
    last_failure: datetime | None = None
    error: str | None = None
    waiting: int = 0


class ChannelStates(AlertReader):
    """Reads the states of channels."""

    def by_channel(self) -> dict[str, ChannelState]:
        """Return the states of the channels that were ever used, by name."""
        waiting: dict[str, int] = dict(self.query(_WAITING))
        states = {row[0]: row[1:] for row in self.query(_STATES)}
        return {
            name: ChannelState(*_times(*states.get(name, (None, None, None))), waiting=waiting.get(name, 0))
            for name in states.keys() | waiting.keys()
        }


def _times(
    delivered_us: int | None, failed_us: int | None, error: str | None
) -> tuple[datetime | None, datetime | None, str | None]:
    delivered, failed = (None if time_us is None else from_us(time_us) for time_us in (delivered_us, failed_us))
    return delivered, failed, error


def note_delivery(connection: sqlite3.Connection, channel: str, now_us: int) -> None:
    """Record that a channel took a notification."""
    connection.execute(_DELIVERED, (channel, now_us))


def note_failure(connection: sqlite3.Connection, channel: str, now_us: int, error: str) -> None:
    """Record that a channel did not take a notification."""
    connection.execute(_FAILED, (channel, now_us, error))

"""The interface of a channel. To add one, add a module to `channels/` that offers a `CHANNEL`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, runtime_checkable

from vestibule.alerts.alert import Alert
from vestibule.alerts.settings import AlertSettings


class Channel(Protocol):
    """Delivers alerts to people or programs. Several threads and processes deliver at once."""

    def deliver(self, alert: Alert) -> None:
        """Deliver `alert` completely, or raise `OSError`."""
        ...


@runtime_checkable
class SyncableChannel(Protocol):
    """A channel that writes at once and syncs to disk afterwards."""

    def sync(self, alerts: Sequence[Alert]) -> None:
        """Flush what was delivered to disk and deliver what is missing, or raise `OSError`."""
        ...


class Timing(Enum):
    """When a channel gets which alerts."""

    BEFORE_ANSWER = "every alert, before its request is answered"
    AFTER_ANSWER = "every alert, right after its request is answered"
    NOTIFICATION = "one alert for each group, in the background"


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """The declaration of a channel: the name that the settings use, and how to build it from them."""

    name: str
    description: str
    build: Callable[[AlertSettings], Channel]
    timing: Timing = Timing.BEFORE_ANSWER

"""What a channel is. To add one, add one module to `channels/` that offers a `CHANNEL`; nothing else names it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, runtime_checkable

from vestibule.alerts.alert import Alert
from vestibule.alerts.settings import AlertSettings


class Channel(Protocol):
    """One way for an alert to reach somebody. Several threads and processes deliver at once."""

    def deliver(self, alert: Alert) -> None:
        """Hand `alert` over, whole or not at all.

        Raises:
            OSError: it could not be handed over.
        """
        ...


@runtime_checkable
class SyncableChannel(Protocol):
    """A channel whose work is there at once, and made to last afterwards."""

    def sync(self, alerts: Sequence[Alert]) -> None:
        """Make what was handed over last, and hand over what is missing.

        Raises:
            OSError: it could not be done.
        """
        ...


class Timing(Enum):
    """When a channel gets what."""

    BEFORE_ANSWER = "every alert, before its request is answered"
    AFTER_ANSWER = "every alert, right after its request is answered"
    NOTIFICATION = "one alert a group, in the background"


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """What a module of `channels/` offers: the name that the settings use, and how to build the channel from them."""

    name: str
    description: str
    build: Callable[[AlertSettings], Channel]
    timing: Timing = Timing.BEFORE_ANSWER

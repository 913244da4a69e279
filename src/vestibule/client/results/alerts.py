"""Alerts, their groups, silences and channels."""

from datetime import datetime

from vestibule.client.decoding import Result, result


@result
class Alert(Result):
    """An alert. It reveals nothing of the value that it is about."""

    id: str
    time: datetime
    type: str
    severity: str
    description: str
    service: str
    entities: list[str]
    # Keyed: equal for equal values, which cannot be derived from it
    fingerprint: str | None
    request_id: str | None
    token_id: str | None
    # The name that the token had then
    token_name: str | None
    task_id: str | None
    # The tenant that it belongs to; `~system` for alerts about parts of the system
    tenant: str
    # The part, queue or channel that it is about, or processor and cause
    subject: str | None
    count: int
    # The command that lets its value pass where it was found by mistake, as `POST /allowances` does
    allow: str | None


@result
class GroupChange(Result):
    """A change of the state of a group."""

    state: str
    # The name of the token, or the service whose alert did it
    by: str | None
    reason: str | None
    at: datetime


@result
class Delivery(Result):
    """The state of a notification, and its last error."""

    channel: str
    event: str
    # `waiting`, `done`, `given_up` or `merged`: sent with another group
    state: str
    attempts: int
    error: str | None
    # When it was due first
    created: datetime
    # When it was tried last
    tried: datetime | None
    # When it is tried next, while it waits
    next_attempt: datetime | None


@result
class SilencedDelivery(Result):
    """A notification that a silence held back."""

    silence_id: str
    event: str
    at: datetime


@result
class AlertGroup(Result):
    """A group of alerts, and its state."""

    # The id of its first alert
    id: str
    type: str
    # The highest of its alerts
    severity: str
    # Its alerts, exactly
    count: int
    first: datetime
    last: datetime
    entities: list[str]
    # The token of its first alert
    token_id: str | None
    token_name: str | None
    tenant: str
    # `open`, `acknowledged` or `resolved`
    state: str
    state_by: str | None
    state_reason: str | None
    state_since: datetime | None


@result
class AlertGroupDetail(AlertGroup):
    """A group with the changes of its state, its notifications, newest first, and those that silences held back."""

    # The last 50 changes, in their order
    history: list[GroupChange]
    deliveries: list[Delivery]
    silenced_by: list[SilencedDelivery]


@result
class AlertDetail(Alert):
    """An alert with its group; null until it has one."""

    group: AlertGroupDetail | None


@result
class AlertPage(Result):
    """Alerts, newest first, and where the next page starts."""

    alerts: list[Alert]
    # Pass it as `cursor` for the next page; None on the last page
    cursor: str | None
    # Set where the search stopped before the page was full: the time of the last alert that was examined; `cursor`
    # goes on from there
    stopped_at: datetime | None
    # The host that answers. Replicas with data directories of their own have alerts of their own
    replica: str


@result
class AlertGroupPage(Result):
    """Groups, by the time of their last alert, and where the next page starts."""

    groups: list[AlertGroup]
    # Pass it as `cursor` for the next page; None on the last page
    cursor: str | None
    # Set where the search stopped before the page was full; `cursor` goes on from there
    stopped_at: datetime | None
    # The host that answers. Replicas with data directories of their own have groups of their own
    replica: str


@result
class Silence(Result):
    """A silence, and how much it held back."""

    id: str
    type: str | None
    token_id: str | None
    entity: str | None
    # The name of the token that added it
    author: str
    # The tenant whose alerts it applies to; `~system` for those of all
    tenant: str
    reason: str
    start: datetime
    end: datetime
    # Alerts that it matched while it was in force
    alerts: int
    # Notifications of groups that it held back, each event of a group once
    notifications: int
    # The name of the token that changed its end last
    changed_by: str | None
    changed_reason: str | None
    changed_at: datetime | None


@result
class ChannelRoute(Result):
    """Which alerts a channel gets; an empty list matches all."""

    types: list[str]
    entities: list[str]
    min_severity: str


@result
class Channel(Result):
    """A configured channel, and how its notifications went. One that gets every alert has no notifications."""

    name: str
    description: str
    # When it gets what
    gets: str
    # Without one, it gets all but `InvalidInput`
    routes: list[ChannelRoute]
    last_delivery: datetime | None
    last_failure: datetime | None
    # Why the last failure was one
    error: str | None
    # Notifications that wait to be sent, or to be tried again
    waiting: int


@result
class ChannelTest(Result):
    """The outcome of a test of a channel."""

    channel: str
    # The id in the test notification; the record does not have it
    alert_id: str
    delivered: bool
    # Why it was not delivered, as the channel says it
    error: str | None
    took_s: float

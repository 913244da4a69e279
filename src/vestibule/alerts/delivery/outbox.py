"""The outbox of notifications: alerts to group, groups to notify or to combine, deliveries to make or retry."""

import sqlite3
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, NamedTuple

from vestibule.alerts.alert import DEFAULT_SEVERITY, Alert, AlertType, Notice, NoticeEvent, Severity
from vestibule.alerts.store.alert_store import Escalation, insert_alert
from vestibule.alerts.store.channel_states import note_delivery, note_failure
from vestibule.alerts.store.database import (
    ALERT_COLUMNS,
    US,
    Row,
    alert_of,
    build_readable,
    from_us,
    join_entities,
    split_entities,
    to_us,
    transaction,
)
from vestibule.alerts.store.grouping import Grouping, group_alert
from vestibule.alerts.store.silences import count_alert, hold_back
from vestibule.runtime.background import Backoff

# Up to this many groups of one type are notified separately within the window; more share a digest, one a window.
MAX_SEPARATE = 5
WINDOW_S = 60
# The first digest of a burst waits this long for the groups that are due next.
COLLECT_S = 5

COLUMNS = ", ".join(f"a.{name}" for name in ALERT_COLUMNS.split(", "))
GROUPED, SYNCED = "grouped_seq", "synced_seq"
SINCE = f"""
    SELECT a.seq, {COLUMNS} FROM alerts a
    WHERE a.seq > coalesce((SELECT value FROM marks WHERE name = ?), 0) AND a.time_us <= ? ORDER BY a.seq LIMIT ?
"""  # noqa: S608
DUE_GROUPS = f"""
    SELECT g.severity, g.entities, g.first_us, g.last_us, g.count, g.state, g.notified_severity, {COLUMNS}
    FROM groups g JOIN alerts a ON a.id = g.id WHERE g.due_us <= ? ORDER BY g.due_us, g.first_us LIMIT 1000
"""  # noqa: S608
POST = """
    INSERT INTO deliveries
    (group_id, channel, event, severity, entities, last_us, count, created_us, due_us, state, groups)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
MARK_NOTIFIED = "UPDATE groups SET notified_severity = ?, notice_since_us = NULL, due_us = ? WHERE id = ?"
DUE_DELIVERIES = f"""
    SELECT d.id, d.channel, d.attempts, d.event, d.severity, d.entities, d.last_us, d.count, d.groups, {COLUMNS}
    FROM deliveries d JOIN alerts a ON a.id = d.group_id
    WHERE d.state = 'waiting' AND d.due_us <= ? AND d.channel = ? AND NOT EXISTS (
        SELECT 1 FROM deliveries mine JOIN deliveries earlier
        ON earlier.channel = d.channel AND earlier.state = 'waiting' AND earlier.id < d.id
        AND (earlier.group_id = d.group_id OR (mine.state = 'merged' AND mine.created_us = earlier.created_us))
        WHERE mine.group_id = d.group_id AND mine.channel = d.channel AND mine.id < d.id
    ) ORDER BY d.id LIMIT 20
"""  # noqa: S608
# What a channel still has to get about a group, alone or in a digest, comes first: its end must not overtake it.
RETRY_BACKOFF = Backoff(first_s=5, longest_s=3600)
GIVE_UP_AFTER_S = 86_400
# After this many failures of a delivery, the channel itself raises an alert.
FAILING_AFTER = 3


# The type and tenant of the groups, and the event of their notification.
Kind = tuple[str, str, str]


class DigestDecision(Enum):
    """How groups that are due are notified."""

    SEPARATE = "separate"
    COMBINED = "combined"
    POSTPONED = "postponed"


class DigestBatcher:
    """Decides on digests from what was sent recently of each kind; the state is of this process alone."""

    def __init__(self) -> None:
        self._sent_us: dict[Kind, deque[int]] = {}
        self._next_us: dict[Kind, int] = {}

    def decide(self, kind: Kind, count: int, now_us: int) -> DigestDecision:
        """Return how `count` groups of a kind are notified, and remember it."""
        sent = self._sent_us.setdefault(kind, deque())
        while sent and sent[0] <= now_us - WINDOW_S * US:
            sent.popleft()
        if len(sent) + count <= MAX_SEPARATE:
            sent.extend([now_us] * count)
            return DigestDecision.SEPARATE
        next_us = self._next_us.get(kind, 0)
        if next_us <= now_us - WINDOW_S * US:
            next_us = self._next_us[kind] = now_us + COLLECT_S * US
        if next_us > now_us:
            return DigestDecision.POSTPONED
        self._next_us[kind] = now_us + WINDOW_S * US
        return DigestDecision.COMBINED

    def next_us(self, kind: Kind) -> int:
        """Return when the next digest of a kind is due."""
        return self._next_us[kind]


@dataclass(frozen=True, slots=True)
class DeliveryRules:
    """How alerts are grouped, when reminders are due, and how long a delivery is retried."""

    grouping: Grouping
    reminder_s: float
    give_up_after_s: float
    replica: str = ""
    console_url: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A notification that is due."""

    id: int
    channel: str
    attempts: int
    alert: Alert


class _Due(NamedTuple):
    summary: Alert
    event: NoticeEvent
    state: str
    last_us: int


class Outbox:
    """Reads and updates the outbox for the one process that delivers."""

    def __init__(self, connection: sqlite3.Connection, rules: DeliveryRules) -> None:
        self._connection = connection
        self._rules = rules
        self._digest = DigestBatcher()

    def group_new(self, limit: int = 200) -> int:
        """Assign new alerts to groups, and return how many there were."""
        rows = self._since(GROUPED, 2**62, limit)
        if rows:
            with transaction(self._connection):
                for row, alert in build_readable(rows, _alert_of):
                    group_id = group_alert(self._connection, alert, self._rules.grouping)
                    self._run("UPDATE alerts SET group_id = ? WHERE seq = ?", group_id, row[0])
                    count_alert(self._connection, _matched_by(alert, to_us(alert.time)))
                self._mark(GROUPED, rows[-1][0])
        return len(rows)

    def sync(self, before_us: int, sync: Callable[[list[Alert]], None], limit: int = 200) -> None:
        """Flush the reports of the next alerts before that time with `sync`, and record the progress."""
        rows = self._since(SYNCED, before_us, limit)
        if rows:
            if reported := [alert for _, alert in build_readable(rows, _alert_of) if alert.has_report]:
                sync(reported)
            with transaction(self._connection):
                self._mark(SYNCED, rows[-1][0])

    def post_due(self, now_us: int, route: Callable[[Alert], list[str]]) -> None:
        """Enqueue notifications of the groups that are due and not silenced; many at once share a digest."""
        with transaction(self._connection):
            kinds: dict[Kind, list[_Due]] = defaultdict(list)
            for _, due in build_readable(self._run(DUE_GROUPS, now_us), _due_of):
                if not self._is_silenced(due, now_us):
                    kinds[due.summary.type, due.summary.tenant, due.event].append(due)
            for kind, groups in kinds.items():
                self._post_kind(kind, groups, now_us, route)

    def due(self, now_us: int, channel: str) -> list[Delivery]:
        """Return the next notifications that are due for a channel, in the order in which they were posted."""
        rows = self._run(DUE_DELIVERIES, now_us, channel)
        return [due for _, due in build_readable(rows, lambda row: _delivery_of(row, self._rules))]

    def confirm(self, delivery: Delivery, now_us: int) -> None:
        """Record that a notification was delivered."""
        with transaction(self._connection):
            self._run(
                "UPDATE deliveries SET state = 'done', error = NULL, attempts = attempts + 1, tried_us = ? "
                "WHERE id = ?",
                *(now_us, delivery.id),
            )
            note_delivery(self._connection, delivery.channel, now_us)
            if delivery.attempts >= FAILING_AFTER:
                self._raise_channel_alert(AlertType.DELIVERY_RESUMED, delivery, "accepts notifications again")

    def postpone(self, delivery: Delivery, now_us: int, error: str, least_s: float = 0) -> None:
        """Record why a notification was not delivered, and when it is retried: after `least_s` seconds at least."""
        due_us = now_us + int(max(RETRY_BACKOFF.delay_s(delivery.attempts + 1), least_s) * US)
        with transaction(self._connection):
            self._run(
                "UPDATE deliveries SET attempts = attempts + 1, error = ?, due_us = ?, tried_us = ? WHERE id = ?",
                *(error, due_us, now_us, delivery.id),
            )
            note_failure(self._connection, delivery.channel, now_us, error)
            if delivery.attempts + 1 == FAILING_AFTER:
                self._raise_channel_alert(
                    AlertType.DELIVERY_FAILING, delivery, f"does not accept notifications: {error}"
                )

    def give_up(self, now_us: int) -> list[tuple[str, str]]:
        """Abandon notifications that were retried for too long, and return their groups and channels."""
        oldest_us = now_us - int(self._rules.give_up_after_s * US)
        with transaction(self._connection):
            return self._run(
                "UPDATE deliveries SET state = 'given_up' WHERE state = 'waiting' AND created_us < ? "
                "RETURNING group_id, channel",
                oldest_us,
            )

    def _post_kind(self, kind: Kind, groups: "list[_Due]", now_us: int, route: Callable[[Alert], list[str]]) -> None:
        decision = self._digest.decide(kind, len(groups), now_us)
        if decision is DigestDecision.POSTPONED:
            for due in groups:
                self._run("UPDATE groups SET due_us = ? WHERE id = ?", self._digest.next_us(kind), due.summary.id)
        elif decision is DigestDecision.COMBINED:
            self._post(groups, now_us, route)
        else:
            for due in groups:
                self._post([due], now_us, route)

    def _post(self, groups: "list[_Due]", now_us: int, route: Callable[[Alert], list[str]]) -> None:
        summary = _summary_of(groups)
        last_us = max(due.last_us for due in groups)
        for channel in route(summary):
            row = (channel, groups[0].event, summary.severity.value, join_entities(summary.entities), last_us)
            self._run(POST, groups[0].summary.id, *row, summary.count, now_us, now_us, "waiting", len(groups))
            for due in groups[1:]:
                self._run(POST, due.summary.id, *row, due.summary.count, now_us, now_us, "merged", 1)
        for due in groups:
            severity = due.summary.severity
            is_reminded = due.state == "open" and severity.rank >= Severity.WARNING.rank
            due_us = now_us + int(self._rules.reminder_s * US) if is_reminded else None
            self._run(MARK_NOTIFIED, severity.value, due_us, due.summary.id)

    def _is_silenced(self, due: "_Due", now_us: int) -> bool:
        group_id = due.summary.id
        until_us = hold_back(self._connection, group_id, due.event.value, _matched_by(due.summary, now_us))
        if until_us is not None:
            self._run("UPDATE groups SET due_us = ? WHERE id = ?", until_us, group_id)
        return until_us is not None

    def _raise_channel_alert(self, alert_type: AlertType, delivery: Delivery, what: str) -> None:
        # Other channels report that a channel fails; a failed delivery of that alert raises no further alert.
        if delivery.alert.type not in (AlertType.DELIVERY_FAILING, AlertType.DELIVERY_RESUMED):
            text = f"The channel {delivery.channel} {what}."
            severity = DEFAULT_SEVERITY[alert_type]
            alert = Alert(
                type=alert_type, description=text, service="alerts", severity=severity, subject=delivery.channel
            )
            insert_alert(self._connection, alert, Escalation())

    def _since(self, mark: str, until_us: int, limit: int) -> list[tuple[Any, ...]]:
        return self._run(SINCE, mark, until_us, limit)

    def _mark(self, name: str, value: int) -> None:
        self._run("INSERT OR REPLACE INTO marks (name, value) VALUES (?, ?)", name, value)

    def _run(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, parameters).fetchall()


def _alert_of(row: Row) -> Alert:
    return alert_of(row[1:])


def _matched_by(alert: Alert, at_us: int) -> tuple[Any, ...]:
    """Return what silences are compared with."""
    return (at_us, alert.type.value, alert.token_id, join_entities(alert.entities), alert.tenant)


def _due_of(row: tuple[Any, ...]) -> _Due:
    severity, entities, _, last_us, count, state, notified_severity, *columns = row
    summary = replace(alert_of(columns), severity=Severity(severity), entities=split_entities(entities), count=count)
    return _Due(summary, _event_of(state, severity, notified_severity), state, last_us)


def _summary_of(groups: list[_Due]) -> Alert:
    if len(groups) == 1:
        return groups[0].summary
    return replace(
        groups[0].summary,
        severity=max((due.summary.severity for due in groups), key=lambda severity: severity.rank),
        entities=tuple(sorted({entity for due in groups for entity in due.summary.entities})),
        count=sum(due.summary.count for due in groups),
    )


def _event_of(state: str, severity: str, notified_severity: str | None) -> NoticeEvent:
    if state == "resolved":
        return NoticeEvent.RESOLVED
    if notified_severity is None:
        return NoticeEvent.RAISED
    return NoticeEvent.ESCALATED if Severity(severity).rank > Severity(notified_severity).rank else NoticeEvent.REMINDER


def _delivery_of(row: tuple[Any, ...], rules: DeliveryRules) -> Delivery:
    delivery_id, channel, attempts, event, severity, entities, last_us, count, groups, *columns = row
    first = alert_of(columns)
    # A digest stands for many groups of one type.
    page = f"/alerts/groups/{first.id}" if groups == 1 else f"/alerts?type={first.type.value}"
    link = rules.console_url and rules.console_url + page
    notice = Notice(
        f"{first.id}-{delivery_id}",
        NoticeEvent(event),
        first.id,
        first.time,
        from_us(last_us),
        groups,
        rules.replica,
        link,
    )
    alert = replace(first, severity=Severity(severity), entities=split_entities(entities), count=count, notice=notice)
    return Delivery(delivery_id, channel, attempts, alert if groups == 1 else _digest_of(alert, groups))


def _digest_of(alert: Alert, groups: int) -> Alert:
    # The origin of the first alert does not apply to the others.
    text = f"{groups} groups of alerts at once. The first: {alert.description}"
    return replace(
        alert,
        description=text,
        fingerprint=None,
        request_id=None,
        token_id=None,
        token_name=None,
        task_id=None,
        subject=None,
    )

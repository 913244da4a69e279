"""Reads the groups of alerts with their notifications and history, and changes their state."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from vestibule.alerts.store.archive import visible_to
from vestibule.alerts.store.database import Row, build_readable, from_us, split_entities, to_us
from vestibule.alerts.store.reader import AlertReader
from vestibule.alerts.store.search import FilterCondition, Index, Span, cursor_of, find_page, parse_cursor
from vestibule.contracts.errors import AlertGroupNotFound, AlertNotFound
from vestibule.contracts.identity import EVERYTHING, Visibility

MOST_DELIVERIES = 50
_COLUMNS = """
    id, type, severity, count, first_us, last_us, entities, token_id, token_name, tenant,
    state, state_by, state_reason, state_us
"""
_NAMES = (
    *("id", "type", "severity", "count", "first", "last", "entities", "token_id", "token_name", "tenant"),
    *("state", "state_by", "state_reason", "state_since"),
)
_BASE = Index("groups a INDEXED BY groups_by_last", time="a.last_us", key="a.id")
_OF_ENTITY = Index(
    "group_entities e CROSS JOIN groups a ON a.id = e.group_id", "e.entity = ?", "a.last_us", "a.id", is_ordered=False
)
_ROWS = f"SELECT {_COLUMNS} FROM groups WHERE id IN ({{ids}}) ORDER BY last_us DESC, id DESC"  # noqa: S608
_OF_ALERT = "SELECT group_id FROM alerts WHERE id = ?"
_ONE = f"SELECT {_COLUMNS} FROM groups WHERE {{visible}} AND id = ?"  # noqa: S608
_DELIVERIES = f"""
    SELECT channel, event, state, attempts, error, created_us, tried_us,
    CASE state WHEN 'waiting' THEN due_us END
    FROM deliveries WHERE group_id = ? ORDER BY id DESC LIMIT {MOST_DELIVERIES}
"""  # noqa: S608
_HISTORY = "SELECT state, author, reason, at_us FROM group_changes WHERE group_id = ? ORDER BY id"
_SILENCED = "SELECT silence_id, event, at_us FROM silenced WHERE group_id = ? ORDER BY at_us, silence_id"
# The end of a group is notified if its beginning was.
_CHANGE = """
    UPDATE groups SET state = ?, state_by = ?, state_reason = ?, state_us = ?, notice_since_us = NULL,
    due_us = CASE WHEN ?1 = 'resolved' AND notified_severity IS NOT NULL THEN ?4 END
    WHERE id = ? AND state != 'resolved' RETURNING id
"""


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """The state of a notification, its last error, and when it was posted, tried last and will be tried next."""

    channel: str
    event: str
    state: str
    attempts: int
    error: str | None
    created: datetime
    tried: datetime | None
    next_attempt: datetime | None


@dataclass(frozen=True, slots=True)
class GroupChange:
    """A change of the state of a group; the author of one that an alert caused is the service that raised it."""

    state: str
    by: str | None
    reason: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class SilencedNotice:
    """A notification that a silence held back."""

    silence_id: str
    event: str
    at: datetime


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """A group of alerts with its exact count, and its state: who changed it, why and when."""

    id: str
    type: str
    severity: str
    count: int
    first: datetime
    last: datetime
    entities: tuple[str, ...]
    token_id: str | None
    token_name: str | None
    tenant: str
    state: str
    state_by: str | None
    state_reason: str | None
    state_since: datetime | None


@dataclass(frozen=True, slots=True)
class GroupState(GroupSummary):
    """A group with the changes of its state, its notifications, newest first, and what silences held back."""

    history: list[GroupChange]
    deliveries: list[DeliveryState]
    silenced_by: list[SilencedNotice]


@dataclass(frozen=True, slots=True)
class GroupFilter:
    """Which groups are wanted; None matches all. `since` is the time of the last alert."""

    state: str | None = None
    type: str | None = None
    severity: str | None = None
    token_id: str | None = None
    entity: str | None = None
    since: datetime | None = None


ALL_GROUPS = GroupFilter()


@dataclass(frozen=True, slots=True)
class GroupPage:
    """A page of groups, by the time of their last alert; the rest is as in a page of alerts."""

    groups: list[GroupSummary]
    cursor: str | None
    stopped_at: datetime | None = None


class AlertGroups(AlertReader):
    """Reads and changes groups; every change is on disk when it is answered."""

    def page(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        visibility: Visibility = EVERYTHING,
        matching: GroupFilter = ALL_GROUPS,
    ) -> GroupPage:
        """Return at most `limit` matching groups whose last alert is older than `cursor`.

        Raises:
            InvalidInput: the cursor is not one that an earlier page gave.
            Unavailable: the store cannot be read.
        """
        span = Span(None if matching.since is None else to_us(matching.since), after=parse_cursor(cursor, str))
        given = [
            _condition("token_id", matching.token_id, "groups_by_token"),
            FilterCondition("instr(', ' || a.entities || ', ', ', ' || ? || ', ') > 0", matching.entity, _OF_ENTITY),
            _condition("type", matching.type, "groups_by_type"),
            _condition("severity", matching.severity, "groups_by_severity"),
            _condition("state", matching.state, "groups_by_state"),
        ]
        conditions = [one for one in given if one.value is not None]
        conditions += visible_to(visibility, _by("tenant", "groups_of_tenant"))
        found = find_page(self.query, _BASE, conditions, span, limit)
        rows = self.query(_ROWS.format(ids=", ".join("?" * len(found.keys))), tuple(found.keys)) if found.keys else []
        groups = [GroupSummary(**group) for _, group in build_readable(rows, _summary_of)]
        return GroupPage(groups, cursor_of(found.following), found.stopped_at)

    def get(self, group_id: str, visibility: Visibility = EVERYTHING) -> GroupState:
        """Return a group.

        Raises:
            AlertGroupNotFound: there is none that is visible.
            Unavailable: the store cannot be read.
        """
        rows = self.query_visible(_ONE, visibility, (group_id,)) if group_id.isascii() else []
        for _, summary in build_readable(rows, _summary_of):
            history = [
                GroupChange(state, by, why, from_us(at)) for state, by, why, at in self.query(_HISTORY, (group_id,))
            ]
            deliveries = [_delivery_of(row) for row in self.query(_DELIVERIES, (group_id,))]
            silenced = [
                SilencedNotice(silence_id, event, from_us(at))
                for silence_id, event, at in self.query(_SILENCED, (group_id,))
            ]
            return GroupState(**summary, history=history, deliveries=deliveries, silenced_by=silenced)
        raise AlertGroupNotFound("No group of alerts has that id.")

    def group_of(self, alert_id: str) -> GroupState | None:
        """Return the group of an alert, None before it has one."""
        rows = self.query(_OF_ALERT, (alert_id,)) if alert_id.isascii() else []
        try:
            return self.get(rows[0][0]) if rows and rows[0][0] else None
        except AlertGroupNotFound:
            return None

    def change(self, group_id: str, state: str, author: str, reason: str | None) -> None:
        """Set a group to `acknowledged` (no more reminders) or `resolved` (the next alert opens another).

        Raises:
            AlertGroupNotFound: no group has that id, or it is resolved already.
            Unavailable: the store cannot be written.
        """
        now_us = to_us(datetime.now(UTC))
        with self.writing() as connection:
            is_changed = connection.execute(_CHANGE, (state, author, reason, now_us, group_id)).fetchall()
        if not is_changed:
            raise AlertGroupNotFound("No unresolved group of alerts has that id.")

    def change_of_alert(self, alert_id: str, state: str, author: str, reason: str | None) -> None:
        """Set the group of an alert, as `change` does.

        Raises:
            AlertNotFound: no alert has that id, or its group is resolved already.
            Unavailable: the store cannot be written.
        """
        group = self.group_of(alert_id)
        try:
            self.change("" if group is None else group.id, state, author, reason)
        except AlertGroupNotFound:
            raise AlertNotFound("No alert with an unresolved group has that id.") from None


def _by(column: str, index: str) -> Index:
    return Index(f"groups a INDEXED BY {index}", f"a.{column} = ?", "a.last_us", "a.id")


def _condition(column: str, value: str | None, index: str) -> FilterCondition:
    return FilterCondition(f"a.{column} = ?", value, _by(column, index))


def _summary_of(row: Row) -> dict[str, Any]:
    summary = dict(zip(_NAMES, row, strict=True))
    times = {name: _time(summary[name]) for name in ("first", "last", "state_since")}
    return summary | times | {"entities": split_entities(summary["entities"])}


def _delivery_of(row: Row) -> DeliveryState:
    channel, event, state, attempts, error, created_us, tried_us, due_us = row
    return DeliveryState(channel, event, state, attempts, error, from_us(created_us), _time(tried_us), _time(due_us))


def _time(time_us: int | None) -> datetime | None:
    return None if time_us is None else from_us(time_us)

"""Reads the recorded alerts: one by its id, or a page of those that match a filter."""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from vestibule.alerts.alert import Alert
from vestibule.alerts.store.database import ALERT_COLUMNS, alert_of, build_readable, to_us
from vestibule.alerts.store.reader import AlertReader
from vestibule.alerts.store.schema import LISTED
from vestibule.alerts.store.search import FilterCondition, Index, Span, cursor_of, find_page, parse_cursor
from vestibule.contracts.errors import AlertNotFound
from vestibule.contracts.identity import EVERYTHING, Visibility

_LISTED = re.sub(r"\b(type|group_id|id)\b", r"a.\1", LISTED)
_BASE = Index("alerts a INDEXED BY alerts_by_time", _LISTED)


def _by(column: str, index: str) -> Index:
    return Index(f"alerts a INDEXED BY {index}", f"a.{column} = ? AND {_LISTED}")


# A group has few alerts or many, so those of a state are read by their groups only where they are few.
_BY_STATE = Index(
    "groups g CROSS JOIN alerts a INDEXED BY alerts_by_group ON a.group_id = g.id",
    f"g.state = ? AND a.group_id IS NOT NULL AND {_LISTED}",
    is_ordered=False,
    count="SELECT count(*) FROM (SELECT 1 FROM groups WHERE state = ? LIMIT ?)",
)
_BY_GROUP = Index("alerts a INDEXED BY alerts_by_group", f"a.group_id = ? AND a.group_id IS NOT NULL AND {_LISTED}")
_BY_ENTITY = Index(
    "alert_entities e CROSS JOIN alerts a ON a.seq = e.seq", "e.entity = ?", time="e.time_us", key="e.seq"
)
_BY_ID = Index(
    "(SELECT ? AS text) wanted CROSS JOIN alerts a "
    "ON a.id = wanted.text OR a.request_id = wanted.text OR a.task_id = wanted.text",
    is_ordered=False,
)
_IS_ID = "? IN (a.id, a.request_id, a.task_id)"
# What is not in a group yet will be in one that is open.
_STATE = "coalesce((SELECT state FROM groups WHERE id = coalesce(a.group_id, a.id)), 'open') = ?"
_TEXT = "instr(lower(a.description || ' ' || coalesce(a.subject, '')), lower(?)) > 0"
_HAS_ID = "SELECT 1 FROM alerts WHERE {visible} AND (id = ? OR request_id = ? OR task_id = ?) LIMIT 1"
_LAST_OF_STATE = "SELECT max(last_us) FROM groups WHERE state = ?"
# The number of all malformed requests of the group whose first one is listed.
_ROWS = f"""
    SELECT CASE type WHEN 'InvalidInput' THEN (SELECT count FROM groups WHERE id = alerts.id) END,
    seq, {ALERT_COLUMNS} FROM alerts WHERE seq IN ({{seqs}}) ORDER BY time_us DESC, seq DESC
"""  # noqa: S608
_ONE = f"SELECT {ALERT_COLUMNS} FROM alerts WHERE {{visible}} AND id = ?"  # noqa: S608

_GIVEN = "(SELECT value FROM json_each(?))"
_OF_IDS = f"""
    SELECT {ALERT_COLUMNS} FROM alerts
    WHERE {{visible}} AND (id IN {_GIVEN} OR request_id IN {_GIVEN} OR task_id IN {_GIVEN})
    ORDER BY time_us DESC, seq DESC LIMIT ?
"""  # noqa: S608
_GROUPS_OF = f"SELECT id, group_id FROM alerts WHERE id IN {_GIVEN} AND group_id IS NOT NULL"  # noqa: S608


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts are wanted; None matches all.

    `state` is that of the group. `text` is an id of an alert, a request or a task; where it is none of these, a part of
    the description or the subject. Of a group of malformed requests the first alone is listed, as everywhere.
    """

    type: str | None = None
    severity: str | None = None
    state: str | None = None
    entity: str | None = None
    token_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None
    group_id: str | None = None


ALL_ALERTS = AlertFilter()


@dataclass(frozen=True, slots=True)
class AlertPage:
    """A page of alerts, newest first, and the cursor of the next page, None on the last.

    `stopped_at` is set where the page ended before it was full: the time of the last alert that was examined.
    """

    alerts: list[Alert]
    cursor: str | None
    stopped_at: datetime | None = None


class AlertArchive(AlertReader):
    """Reads the alerts of all services of a host, as far as they are visible."""

    def page(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        visibility: Visibility = EVERYTHING,
        matching: AlertFilter = ALL_ALERTS,
    ) -> AlertPage:
        """Return at most `limit` matching alerts older than `cursor`.

        Raises:
            InvalidInput: the cursor is not one that an earlier page gave.
            Unavailable: the store cannot be read.
        """
        after = parse_cursor(cursor, int)
        since_us, until_us = (None if time is None else to_us(time) for time in (matching.since, matching.until))
        if matching.state is not None and matching.state != "open":
            # No alert of such a group is later than the last of them.
            ((last_us,),) = self.query(_LAST_OF_STATE, (matching.state,)) or [(None,)]
            if last_us is None:
                return AlertPage([], None)
            until_us = last_us if until_us is None else min(last_us, until_us)
        conditions = [
            *self._conditions(matching, visibility),
            *visible_to(visibility, _by("tenant", "alerts_of_tenant")),
        ]
        found = find_page(self.query, _BASE, conditions, Span(since_us, until_us, after), limit)
        return AlertPage(self._alerts(found.keys), cursor_of(found.following), found.stopped_at)

    def get(self, alert_id: str, visibility: Visibility = EVERYTHING) -> Alert:
        """Return the alert of that id.

        Raises:
            AlertNotFound: there is none that is visible.
            Unavailable: the store cannot be read.
        """
        # Some text has no UTF-8 form for a query.
        rows = self.query_visible(_ONE, visibility, (alert_id,)) if alert_id.isascii() else []
        for _, alert in build_readable(rows, alert_of):
            return alert
        raise AlertNotFound("No alert has that id.")

    def find(self, ids: Collection[str], visibility: Visibility = EVERYTHING, limit: int = 100) -> list[Alert]:
        """Return the alerts that have one of these ids, or whose request or task has; the newest first.

        Raises:
            Unavailable: the store cannot be read.
        """
        wanted = json.dumps(sorted(one for one in ids if one.isascii()))
        rows = self.query_visible(_OF_IDS, visibility, (wanted, wanted, wanted, limit))
        return [alert for _, alert in build_readable(rows, alert_of)]

    def group_ids(self, alert_ids: Collection[str]) -> dict[str, str]:
        """Return the groups of alerts, by the ids of these; those without a group are left out."""
        rows = self.query(_GROUPS_OF, (json.dumps(sorted(alert_ids)),))
        return {str(alert_id): str(group_id) for alert_id, group_id in rows}

    def _conditions(self, matching: AlertFilter, visibility: Visibility) -> list[FilterCondition]:
        given = [
            FilterCondition("a.token_id = ?", matching.token_id, _by("token_id", "alerts_by_token")),
            FilterCondition("instr(', ' || a.entities || ', ', ', ' || ? || ', ') > 0", matching.entity, _BY_ENTITY),
            FilterCondition("a.type = ?", matching.type, _by("type", "alerts_by_type")),
            FilterCondition("a.severity = ?", matching.severity, _by("severity", "alerts_by_severity")),
            FilterCondition(_STATE, matching.state, _BY_STATE),
            FilterCondition("a.group_id = ?", matching.group_id, _BY_GROUP),
        ]
        conditions = [one for one in given if one.value is not None]
        if matching.text:
            if self.query_visible(_HAS_ID, visibility, (matching.text,) * 3):
                # Also an alert that no list has is found by its id, and by no other index.
                return [
                    FilterCondition(_IS_ID, matching.text, _BY_ID),
                    *(replace(one, index=None) for one in conditions),
                ]
            conditions.append(FilterCondition(_TEXT, matching.text))
        return conditions

    def _alerts(self, seqs: list[int]) -> list[Alert]:
        if not seqs:
            return []
        rows = self.query(_ROWS.format(seqs=", ".join("?" * len(seqs))), tuple(seqs))
        counts = {row[1]: row[0] or 1 for row in rows}
        readable = build_readable([row[1:] for row in rows], lambda row: alert_of(row[1:]))
        return [replace(alert, count=counts[row[0]]) for row, alert in readable]


def visible_to(visibility: Visibility, index: Index) -> list[FilterCondition]:
    """Return the condition that rows belong to tenants that are visible; one tenant may have few among many."""
    tenants = visibility.tenants
    if tenants is None:
        return []
    if len(tenants) == 1:
        return [FilterCondition("a.tenant = ?", next(iter(tenants)), index)]
    return [FilterCondition("a.tenant IN (SELECT value FROM json_each(?))", json.dumps(sorted(tenants)))]

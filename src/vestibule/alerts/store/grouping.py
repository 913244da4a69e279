"""Assigns recorded alerts to groups, within a transaction of the caller's.

An alert joins the group of its type that an alert of the same request and token is in; otherwise the one that has its
fingerprint; otherwise the one that its token opened; otherwise it opens one. So a value that many tokens send is one
group, and a token that leaks a thousand values is one group too. What goes to a language model and what comes back have
the same id of a request, that of the call.
Alerts about a part, a queue or a channel are grouped by that alone, until an alert resolves the group. Alerts of two
tenants never share a group.
"""

import sqlite3
from dataclasses import dataclass
from typing import NamedTuple

from vestibule.alerts.alert import RESOLVES, Alert, Severity
from vestibule.alerts.store.database import US, join_entities, row_of, split_entities, to_us
from vestibule.contracts.identity import DEFAULT_TENANT, SYSTEM_TENANT

FIND_GROUP = """
    SELECT id, severity, entities, state, notified_severity, notice_since_us, due_us
    FROM groups WHERE id = (SELECT group_id FROM memberships WHERE type = ? AND key = ?)
    AND state != 'resolved' AND last_us >= ?
"""
OPEN_GROUP = """
    INSERT INTO groups (id, type, token_id, severity, entities, first_us, last_us, count, notice_since_us, due_us)
    VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?)
"""
JOIN_GROUP = """
    UPDATE groups SET count = count + 1, last_us = max(last_us, ?), severity = ?, entities = ?, notice_since_us = ?,
    due_us = ? WHERE id = ?
"""
# The end of a group is notified with the next sweep; if its beginning was not notified yet, both are.
RESOLVE = """
    UPDATE groups SET state = 'resolved', state_by = ?, state_reason = ?, state_us = ?,
    notice_since_us = NULL, due_us = ?3
    WHERE id IN (SELECT group_id FROM memberships WHERE type = ? AND key IN (?, ?)) AND state != 'resolved' RETURNING id
"""
LASTING = frozenset(RESOLVES.values())
FIND_GROUP_OF_REQUEST = """
    SELECT id, severity, entities, state, notified_severity, notice_since_us, due_us
    FROM groups WHERE id = (
        SELECT group_id FROM alerts WHERE request_id = ? AND type = ? AND token_id = ? AND tenant = ?
        AND group_id IS NOT NULL ORDER BY seq DESC LIMIT 1
    ) AND state != 'resolved' AND last_us >= ?
"""
SAVE_MEMBERSHIP = "INSERT OR REPLACE INTO memberships (type, key, group_id, last_us) VALUES (?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Grouping:
    """How long a group stays open, and when it is notified."""

    window_s: float = 3600
    quiet_s: float = 2
    wait_s: float = 30


class _Group(NamedTuple):
    id: str
    severity: str
    entities: str
    state: str
    notified_severity: str | None
    notice_since_us: int | None
    due_us: int | None


def group_alert(connection: sqlite3.Connection, alert: Alert, rules: Grouping) -> str:
    """Put `alert` into its group, end the group that it resolves, and return its own group's id."""
    has_ended_one = _resolve(connection, alert)
    keys = _keys_of(alert)
    found = {key: _find(connection, alert, key, rules) for key in keys}
    group = next((group for group in found.values() if group is not None), None)
    if alert.subject is None:
        group = _find_of_request(connection, alert, rules) or group
    if group is None:
        _open(connection, alert, None if has_ended_one else rules)
    else:
        _join(connection, alert, group, rules)
    group_id = alert.id if group is None else group.id
    for key in keys:
        # A token is a key of a group that it opened, not of a group of another token whose value it sent.
        if group is None or (found[key] is None and key.partition(":")[0].endswith("f")):
            connection.execute(SAVE_MEMBERSHIP, (alert.type.value, key, group_id, to_us(alert.time)))
    return group_id


def _keys_of(alert: Alert) -> list[str]:
    # No tenant has a colon or a stroke in its name, so no key of one can be the key of another.
    owner = "" if alert.tenant == SYSTEM_TENANT else f"{alert.tenant}/"
    if alert.subject is not None:
        return [f"{owner}s:{alert.subject}"]
    by_value = [] if alert.fingerprint is None else [f"{owner}f:{alert.fingerprint}"]
    # An alert that no request caused, such as an unavailable part, is grouped by its description.
    caused = alert.token_id is not None or alert.request_id is not None
    return [*by_value, f"{owner}t:{alert.token_id or ''}" if caused else f"{owner}d:{row_of(alert)[4]}"]


def _find(connection: sqlite3.Connection, alert: Alert, key: str, rules: Grouping) -> _Group | None:
    is_lasting = alert.subject is not None and alert.type in LASTING
    oldest_us = 0 if is_lasting else to_us(alert.time) - int(rules.window_s * US)
    row = connection.execute(FIND_GROUP, (alert.type.value, key, oldest_us)).fetchone()
    return None if row is None else _Group(*row)


def _find_of_request(connection: sqlite3.Connection, alert: Alert, rules: Grouping) -> _Group | None:
    if alert.request_id is None or alert.token_id is None:
        return None
    oldest_us = to_us(alert.time) - int(rules.window_s * US)
    values = (alert.request_id, alert.type.value, alert.token_id, alert.tenant, oldest_us)
    row = connection.execute(FIND_GROUP_OF_REQUEST, values).fetchone()
    return None if row is None else _Group(*row)


def _resolve(connection: sqlite3.Connection, alert: Alert) -> bool:
    ended = RESOLVES.get(alert.type)
    if ended is None or alert.subject is None:
        return False
    (key,) = _keys_of(alert)
    # Heartbeats had no tenant in versions before 3 of the tables; a missed one of then may end now.
    earlier = key.removeprefix(f"{DEFAULT_TENANT}/")
    values = (alert.service, row_of(alert)[4], to_us(alert.time), ended.value, key, earlier)
    return bool(connection.execute(RESOLVE, values).fetchall())


def _open(connection: sqlite3.Connection, alert: Alert, rules: Grouping | None) -> None:
    now_us = to_us(alert.time)
    values = (alert.id, alert.type.value, alert.token_id, alert.severity.value, join_entities(alert.entities))
    # An alert that resolves a group is notified as the end of that group.
    due_us = None if rules is None else now_us + int(min(rules.quiet_s, rules.wait_s) * US)
    since_us = None if rules is None else now_us
    connection.execute(OPEN_GROUP, (*values, now_us, now_us, since_us, due_us))


def _join(connection: sqlite3.Connection, alert: Alert, group: _Group, rules: Grouping) -> None:
    now_us = to_us(alert.time)
    severity = max(Severity(group.severity), alert.severity, key=lambda one: one.rank)
    entities = group.entities
    if not set(alert.entities) <= set(split_entities(entities)):
        entities = join_entities(sorted({*split_entities(entities), *alert.entities}))
    since_us, due_us = group.notice_since_us, group.due_us
    notified_severity = group.notified_severity
    if since_us is None and notified_severity is not None and severity.rank > Severity(notified_severity).rank:
        since_us = now_us
    if since_us is not None:
        due_us = min(since_us + int(rules.wait_s * US), now_us + int(rules.quiet_s * US))
    connection.execute(JOIN_GROUP, (now_us, severity.value, entities, since_us, due_us, group.id))

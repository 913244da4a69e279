"""Alerts and their groups, silences, and the channels that notifications go to."""

# Made of asynchronous/alerts.py by `python -m vestibule.client.unasync`; change that one.

from collections.abc import Sequence
from datetime import datetime

from vestibule.client.synchronous.resource import Pages, Resource
from vestibule.client.calls import Call
from vestibule.client.results.alerts import (
    Alert,
    AlertDetail,
    AlertGroup,
    AlertGroupDetail,
    AlertGroupPage,
    AlertPage,
    Channel,
    ChannelTest,
    Silence,
)


class Alerts(Resource):
    """Alerts."""

    def list(
        self,
        *,
        type: str | None = None,
        severity: str | None = None,
        state: str | None = None,
        entity: str | None = None,
        token: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        q: str | None = None,
        group: str | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
    ) -> Pages[AlertPage, Alert]:
        """Return the alerts that meet all filters, newest first; `page_size` is 500 at most.

        Args:
            type: such as `PersonalData`.
            severity: `info`, `warning` or `critical`.
            state: of the group: `open`, `acknowledged` or `resolved`.
            entity: such as `EMAIL_ADDRESS`.
            token: the id of a token.
            since: from then on.
            until: until then.
            q: the id of an alert, a request or a task; or a part of the description or the subject.
            group: the id of a group.
            page_size: alerts on a page.
            cursor: of the page before, with the same filters.
        """
        query = {
            "type": type,
            "severity": severity,
            "state": state,
            "entity": entity,
            "token": token,
            "since": since,
            "until": until,
            "q": q,
            "group": group,
            "limit": page_size,
            "cursor": cursor,
        }
        return Pages(self, Call("list_alerts", query=query), AlertPage, lambda page: page.alerts)

    def get(self, alert_id: str) -> AlertDetail:
        """Return an alert with its group and its notifications. Raises: AlertNotFound, if there is none."""
        return self._result(Call("get_alert", path={"alert_id": alert_id}), AlertDetail)

    def acknowledge(self, alert_id: str, *, reason: str | None = None) -> AlertDetail:
        """Acknowledge the group of an alert: no more reminders are sent. Raises: AlertNotFound."""
        call = Call("acknowledge_alert", path={"alert_id": alert_id}, body={"reason": reason})
        return self._result(call, AlertDetail)

    def resolve(self, alert_id: str, *, reason: str | None = None) -> AlertDetail:
        """Resolve the group of an alert; later alerts form a new one. Raises: AlertNotFound, if none is unresolved."""
        call = Call("resolve_alert", path={"alert_id": alert_id}, body={"reason": reason})
        return self._result(call, AlertDetail)


class AlertGroups(Resource):
    """Groups of alerts, which are acknowledged and resolved together."""

    def list(
        self,
        *,
        state: str | None = None,
        type: str | None = None,
        severity: str | None = None,
        token: str | None = None,
        entity: str | None = None,
        since: datetime | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
    ) -> Pages[AlertGroupPage, AlertGroup]:
        """Return the groups that meet all filters, by their last alert; `page_size` is 500 at most."""
        query = {
            "state": state,
            "type": type,
            "severity": severity,
            "token": token,
            "entity": entity,
            "since": since,
            "limit": page_size,
            "cursor": cursor,
        }
        call = Call("list_alert_groups", query=query)
        return Pages(self, call, AlertGroupPage, lambda page: page.groups)

    def get(self, group_id: str) -> AlertGroupDetail:
        """Return a group with its changes and notifications. Raises: AlertGroupNotFound, if there is none."""
        return self._result(Call("get_alert_group", path={"group_id": group_id}), AlertGroupDetail)

    def acknowledge(self, group_id: str, *, reason: str | None = None) -> AlertGroupDetail:
        """Acknowledge a group: no more reminders are sent. Raises: AlertGroupNotFound, if none is unresolved."""
        call = Call("acknowledge_alert_group", path={"group_id": group_id}, body={"reason": reason})
        return self._result(call, AlertGroupDetail)

    def resolve(self, group_id: str, *, reason: str | None = None) -> AlertGroupDetail:
        """Resolve a group; later alerts form a new one. Raises: AlertGroupNotFound, if none is unresolved."""
        call = Call("resolve_alert_group", path={"group_id": group_id}, body={"reason": reason})
        return self._result(call, AlertGroupDetail)


class Silences(Resource):
    """Silences: notifications that are held back for a time."""

    def list(self, *, ended: bool = False) -> Sequence[Silence]:
        """Return the silences in force, the latest end first; with `ended` those that have ended, too."""
        return self._result(Call("list_silences", query={"ended": ended}), list[Silence])

    def add(
        self,
        *,
        reason: str,
        hours: float,
        type: str | None = None,
        token_id: str | None = None,
        entity: str | None = None,
        all: bool = False,
    ) -> Silence:
        """Hold back the notifications of alerts with this type, token and entity, or of all alerts."""
        body = {"type": type, "token_id": token_id, "entity": entity, "all": all, "reason": reason, "hours": hours}
        return self._result(Call("add_silence", body=body), Silence)

    def get(self, silence_id: str) -> Silence:
        """Return a silence, also one that has ended. Raises: SilenceNotFound, if there is none."""
        return self._result(Call("get_silence", path={"silence_id": silence_id}), Silence)

    def change(
        self, silence_id: str, *, hours: float | None = None, end: datetime | None = None, reason: str | None = None
    ) -> Silence:
        """Let a silence end so many hours from now, or at a time. Raises: SilenceNotFound, if none is in force."""
        call = Call(
            "change_silence",
            path={"silence_id": silence_id},
            body={"hours": hours, "end": end, "reason": reason},
        )
        return self._result(call, Silence)

    def end(self, silence_id: str) -> Silence:
        """End a silence now; what it held back is sent. Raises: SilenceNotFound, if none is in force."""
        return self._result(Call("end_silence", path={"silence_id": silence_id}), Silence)


class Channels(Resource):
    """The channels that notifications go to. They need the scope `operator` as well."""

    def list(self) -> Sequence[Channel]:
        """Return the channels with their routes, their last delivery and failure."""
        return self._result(Call("list_channels"), list[Channel])

    def test(self, name: str) -> ChannelTest:
        """Send a test notification now, and return how it ended. Raises: ChannelNotFound, TooManyTests."""
        return self._result(Call("send_channel_test", path={"name": name}), ChannelTest)

"""Groups of alerts: whose token, which requests, who silences them, who was notified; and what to do about them."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from vestibule.client.results.alerts import AlertDetail, AlertGroup, AlertGroupPage, Silence
from vestibule.console.pages.alerts.filters import CHOICES, PAGE_SIZE, Text
from vestibule.console.views.formatting import segment
from vestibule.console.views.moments import hours_of, time_of
from vestibule.console.web.viewer import ConsoleRoute, PagePart, Viewer, ViewerPart
from vestibule.contracts.identity import SYSTEM_TENANT

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)

# It has a word of its own: an address without a state shows the open groups.
ALL = "all"


@router.get("/alerts")
async def show_groups(
    *,
    viewer: ViewerPart,
    state: Text = "open",
    type: Text = "",
    severity: Text = "",
    entity: Text = "",
    token: Text = "",
    since: Text = "",
    cursor: Text = "",
) -> Response:
    """Show the groups of alerts that meet all filters, those with the last alert first."""
    filters = {"type": type, "severity": severity, "entity": entity, "token": token, "since": since}

    async def find() -> AlertGroupPage:
        given: dict[str, Any] = {name: value or None for name, value in filters.items() if name != "since"}
        times: dict[str, Any] = {"since": time_of(since, "since")}
        pages = viewer.client.alert_groups.list(
            **given, **times, state=None if state in ("", ALL) else state, page_size=PAGE_SIZE, cursor=cursor or None
        )
        return await pages.page()

    parts = await viewer.parts(groups=find(), silences=viewer.client.silences.list())
    silenced = _silences_by_group(parts["groups"], parts["silences"])
    return viewer.page(
        "alerts/groups.html.jinja",
        **parts,
        **CHOICES,
        filters={"state": state or ALL, **filters},
        is_filtered=any(filters.values()) or state != "open",
        silenced=silenced,
    )


@router.get("/alerts/groups/{group_id}")
async def show_group(group_id: str, viewer: ViewerPart, cursor: Text = "") -> Response:
    """Show a group: whose token, which alerts, what was done about it, and who was notified."""
    group = await viewer.client.alert_groups.get(group_id)
    alerts = viewer.client.alerts.list(group=group_id, page_size=PAGE_SIZE, cursor=cursor or None)
    parts = await viewer.parts(
        alerts=alerts.page(), first=viewer.client.alerts.get(group_id), silences=viewer.client.silences.list()
    )
    silences: PagePart[Sequence[Silence]] = parts["silences"]
    return viewer.page(
        "alerts/group.html.jinja",
        group=group,
        **parts,
        **CHOICES,
        in_force=silencing(group, silences.value or ()),
        allowable=_allowable(group, parts["first"]),
    )


@router.post("/alerts/groups/{group_id}/acknowledge")
async def acknowledge_group(group_id: str, viewer: ViewerPart) -> Response:
    """Acknowledge a group: no more reminders are sent."""
    await viewer.client.alert_groups.acknowledge(group_id, reason=viewer.form.get("reason"))
    return _back(viewer, group_id, "Acknowledged: no more reminders are sent.")


@router.post("/alerts/groups/{group_id}/resolve")
async def resolve_group(group_id: str, viewer: ViewerPart) -> Response:
    """Resolve a group: later alerts form a new one."""
    await viewer.client.alert_groups.resolve(group_id, reason=viewer.form.get("reason"))
    return _back(viewer, group_id, "Resolved: later alerts form a new group.")


@router.post("/alerts/{alert_id}/let-pass")
async def let_value_pass(alert_id: str, viewer: ViewerPart) -> Response:
    """Let the value of an alert pass for a time: it was found by mistake."""
    await viewer.client.allowances.add(
        alert_id=alert_id,
        entity=viewer.form.get("entity"),
        reason=viewer.field("reason"),
        hours=hours_of(viewer.field("hours")),
        secret="secret" in viewer.form,
    )
    said = "The value passes from now on, in whatever spelling; Policy, Allowances has the allowance and ends it."
    group_id = viewer.form.get("group")
    return _back(viewer, group_id, said) if group_id else viewer.back(f"/alerts/{segment(alert_id)}", said)


def silencing(group: AlertGroup, silences: Sequence[Silence]) -> list[Silence]:
    """Return the silences in force that hold the notifications of a group back, as the service decides it."""
    return [
        one
        for one in silences
        if one.type in (None, group.type)
        and one.token_id in (None, group.token_id)
        and (one.entity is None or one.entity in group.entities)
        and one.tenant in (SYSTEM_TENANT, group.tenant)
    ]


def _silences_by_group(
    groups: PagePart[AlertGroupPage], silences: PagePart[Sequence[Silence]]
) -> dict[str, list[Silence]]:
    found = groups.value.groups if groups.value else ()
    return {group.id: silencing(group, silences.value or ()) for group in found}


def _allowable(group: AlertGroup, first: PagePart[AlertDetail]) -> AlertDetail | None:
    """Return the alert whose value may be let pass here: the only one of the group. Others have pages of their own."""
    alert = first.value
    return alert if alert is not None and alert.allow and group.count == 1 else None


def _back(viewer: Viewer, group_id: str, said: str) -> Response:
    return viewer.back(f"/alerts/groups/{segment(group_id)}", said)

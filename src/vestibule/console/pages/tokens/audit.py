"""The audit: who did what, with what came of it."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from vestibule.client.results.administration import AuditLine, AuditPage
from vestibule.console.views.moments import moment_of
from vestibule.console.web.viewer import ConsoleRoute, Viewer, ViewerPart
from vestibule.contracts.audit import Act, ActOutcome

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)

PAGE_SIZE = 100
# Where the target of an act is, by how its name begins; the first that fits counts.
TARGETS = (
    ("token_", "/tokens/"),
    ("value_revealed", "/alerts/"),
    ("subject_found", "/subjects/finds/"),
    ("subject_erased", "/subjects/erasures/"),
    ("erasure_ended", "/subjects/erasures/"),
    ("tasks_changed", "/tasks/jobs/"),
    ("task_", "/tasks/"),
    ("schedule_", "/schedules/"),
    # A group of alerts has the id of its first.
    ("alert_", "/alerts/"),
)
# What only the token that did it can open.
FOR_ITS_TOKEN = frozenset({"subject_found"})

Text = Annotated[str, Query()]


@router.get("/tokens/audit")
async def show_audit(
    *,
    viewer: ViewerPart,
    since: Text = "",
    until: Text = "",
    token: Text = "",
    act: Text = "",
    outcome: Text = "",
    order: Text = "newest",
    cursor: Text = "",
) -> Response:
    """Show the lines of the audit that meet all filters."""
    filters = {"since": since, "until": until, "token": token, "act": act, "outcome": outcome, "order": order}
    lines = await viewer.part(_read(viewer, filters, cursor))
    acts, outcomes = [one.value for one in Act], [one.value for one in ActOutcome]
    address_of = partial(_address_of, own_token_id=viewer.session.token_id)
    return viewer.page(
        "tokens/audit.html.jinja", lines=lines, filters=filters, acts=acts, outcomes=outcomes, address_of=address_of
    )


async def _read(viewer: Viewer, filters: Mapping[str, str], cursor: str) -> AuditPage:
    lines = viewer.client.audit.list(
        since=moment_of(filters["since"], "since"),
        until=moment_of(filters["until"], "until"),
        token=filters["token"] or None,
        act=filters["act"] or None,
        outcome=filters["outcome"] or None,
        order=filters["order"] or None,
        page_size=PAGE_SIZE,
        cursor=cursor or None,
    )
    return await lines.page()


def _address_of(line: AuditLine, own_token_id: str) -> str | None:
    if line.act in FOR_ITS_TOKEN and line.token_id != own_token_id:
        return None
    return next((address for name, address in TARGETS if line.act.startswith(name)), None)

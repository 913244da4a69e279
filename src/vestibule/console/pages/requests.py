"""Requests: what was decided and what is decided now, and the timeline of one."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from vestibule.client.results.decisions import Decision, DecisionPage
from vestibule.console.views.formatting import segment
from vestibule.console.views.live import AT_MOST, EventStream, LiveRows
from vestibule.console.views.moments import days_before, moment_of, start_of, today
from vestibule.console.views.timeline import in_order, summary_of
from vestibule.console.web.viewer import ConsoleRoute, Viewer, ViewerPart
from vestibule.contracts.errors import TraceNotFound

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)

PAGE_SIZE = 50
ACTIONS = ("block", "redact", "hash", "tokenize", "number", "fake", "mask", "alert", "ignore")
OUTCOMES = ("let_in", "blocked")
RATE_MINUTES = 60
SUGGESTED_DAYS = 7
Text = Annotated[str, Query()]


@router.get("/requests")
async def show_requests(
    *,
    viewer: ViewerPart,
    live: bool = False,
    since: Text = "",
    until: Text = "",
    token: Text = "",
    route: Text = "",
    entity: Text = "",
    action: Text = "",
    outcome: Text = "",
    cursor: Text = "",
) -> Response:
    """Show past decisions that meet all filters, the newest first, or those that are made now."""
    filters = {"token": token, "route": route, "entity": entity, "action": action, "outcome": outcome}
    choices: dict[str, Any] = {"actions": ACTIONS, "outcomes": OUTCOMES, "live": live}
    rates = viewer.client.decisions.rates(RATE_MINUTES)
    suggested = viewer.client.decisions.counts(since=start_of(days_before(today(), SUGGESTED_DAYS)))
    if live:
        parts = await viewer.parts(rates=rates, counts=suggested)
        return viewer.page("requests/live.html.jinja", **parts, **choices, filters=filters)
    span = {"since": since, "until": until}
    found = _read(viewer, filters, span, cursor)
    parts = await viewer.parts(rates=rates, counts=suggested, found=found)
    return viewer.page("requests/past.html.jinja", **parts, **choices, filters=filters | span, is_first=not cursor)


@router.get("/requests/events")
async def stream_requests(
    *,
    viewer: ViewerPart,
    token: Text = "",
    route: Text = "",
    entity: Text = "",
    action: Text = "",
    outcome: Text = "",
) -> Response:
    """Stream decisions as rows of the live view, at most five a second."""
    source = viewer.client.decisions.stream(
        token=token or None,
        route=route or None,
        entity=entity or None,
        action=action or None,
        outcome=outcome or None,
        at_most=AT_MOST,
    )

    def render(decisions: list[Decision]) -> str:
        return viewer.text("requests/rows.html.jinja", decisions=decisions, is_fresh=True)

    return EventStream(LiveRows(source, render, viewer.session.expires_at).events())


@router.get("/requests/find")
async def find_request(viewer: ViewerPart, id: Text) -> Response:
    """Go to the timeline of an id that somebody entered."""
    return viewer.back(f"/requests/{segment(id.strip())}")


@router.get("/requests/{trace_id}")
async def show_request(trace_id: str, viewer: ViewerPart) -> Response:
    """Show all that happened to a request, decision, task, alert or job, in the order in which it happened."""
    try:
        trace = await viewer.client.traces.get(trace_id)
    except TraceNotFound as error:
        raise TraceNotFound(
            f"Nothing is kept about {trace_id}. A decision arrives within two seconds. A request without findings and "
            "without a task leaves no record, unless the policy says keep_clean = true; its lines are in the log: "
            f"vestibule logs --request {trace_id}."
        ) from error
    return viewer.page(
        "requests/timeline.html.jinja", trace=trace, events=in_order(trace.events), summary=summary_of(trace)
    )


async def _read(viewer: Viewer, filters: dict[str, str], span: dict[str, str], cursor: str) -> DecisionPage:
    listed = viewer.client.decisions.list(
        since=moment_of(span["since"], "since"),
        until=moment_of(span["until"], "until"),
        token=filters["token"] or None,
        route=filters["route"] or None,
        entity=filters["entity"] or None,
        action=filters["action"] or None,
        outcome=filters["outcome"] or None,
        page_size=PAGE_SIZE,
        cursor=cursor or None,
    )
    return await listed.page()

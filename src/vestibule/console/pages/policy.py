"""The policy in force, a text tried on it, drafts of it, and allowances."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from vestibule.client.results.detection import ForeseenFinding
from vestibule.client.results.policy import Allowance
from vestibule.console.views.numbers import whole_number
from vestibule.console.web.viewer import ConsoleRoute, ViewerPart

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)

ACTIONS = ("block", "redact", "tokenize", "alert", "allow")
ALLOWED_FOR = (("1", "1 hour"), ("8", "8 hours"), ("24", "1 day"), ("168", "7 days"), ("720", "30 days"))
REPLAYED_DAYS = (("1", "1 day"), ("7", "7 days"), ("30", "30 days"))
USUAL_DAYS = 30
HEADING = "# A draft. Put it into policy.toml of the data directory to bring it into force.\n"

Text = Annotated[str, Query()]


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a text that was tried, and the finding that covers it, if any."""

    text: str
    finding: ForeseenFinding | None = None


@router.get("/policy")
async def show_rules(*, viewer: ViewerPart, entity: Text = "", cursor: Text = "") -> Response:
    """Show the rules of the policy in force, those that overrule others first, with how often each decided."""
    policy = viewer.client.policy.get(cursor=cursor or None)
    parts = await viewer.parts(policy=policy.page(), decisions=viewer.client.decisions.list(page_size=1).page())
    state = parts["policy"].value
    rules = [] if state is None else [rule for rule in state.rules if not entity or rule.entity == entity]
    return viewer.page("policy/rules.html.jinja", **parts, rules=rules, entity=entity)


@router.get("/policy/try")
async def show_try(viewer: ViewerPart) -> Response:
    """Show the form for a text to try."""
    return viewer.page("policy/try.html.jinja", text="", key="", tried=None, pieces=[])


@router.post("/policy/try")
async def try_text(viewer: ViewerPart) -> Response:
    """Show what would be found in a text, and what the policy would do. Nothing is stored, and no alert is raised."""
    text, key = viewer.form.get("text", ""), viewer.form.get("key", "")
    tried = await viewer.part(viewer.client.detection.preview(text, key=key or None))
    pieces = [] if tried.value is None else split(text, tried.value.findings)
    return viewer.page("policy/try.html.jinja", text=text, key=key, tried=tried, pieces=pieces)


@router.get("/policy/draft")
async def show_draft(*, viewer: ViewerPart, entity: Text = "", action: Text = "") -> Response:
    """Show the form for a draft, with a rule about an entity where one is asked for."""
    draft = HEADING
    if entity.isidentifier():
        draft += f'\n[entities]\n{entity} = "{action if action in ACTIONS else "redact"}"\n'
    return _draft_page(viewer, draft)


@router.post("/policy/draft")
async def try_draft(viewer: ViewerPart) -> Response:
    """Check a draft, decide on a text by it, or replay it on recorded decisions. Nothing comes into force."""
    draft, step = viewer.form.get("policy", ""), viewer.form.get("step", "check")
    days = viewer.form.get("days", "")
    client = viewer.client.policy
    checked = await viewer.part(client.check(draft))
    results: dict[str, Any] = {}
    if checked.value is not None and checked.value.valid:
        if step == "replay":
            results["replayed"] = await viewer.part(
                client.replay(policy=draft, days=whole_number(days, "days") or USUAL_DAYS)
            )
        if text := viewer.form.get("text", ""):
            sample = {"text": text, "expect": "pass"}
            results["sampled"] = await viewer.part(client.test([sample], policy=draft))
            results["now"] = await viewer.part(client.test([sample]))
    return _draft_page(viewer, draft, text=viewer.form.get("text", ""), days=days, checked=checked, **results)


@router.post("/policy/draft/file")
async def download_draft(viewer: ViewerPart) -> Response:
    """Hand a draft back as a file: the file on the host is the source of the policy."""
    headers = {"Content-Disposition": 'attachment; filename="policy.toml"', "Cache-Control": "no-store"}
    draft = viewer.form.get("policy", "").replace("\r\n", "\n")
    return Response(draft, media_type="application/toml; charset=utf-8", headers=headers)


@router.get("/policy/allowances")
async def show_allowances(
    *, viewer: ViewerPart, ended: Text = "", fingerprint: Text = "", entity: Text = "", alert_id: Text = ""
) -> Response:
    """Show the values that pass although they are found, and the form for one more."""
    found = await viewer.part(viewer.client.allowances.list(ended=bool(ended)))
    given = {"fingerprint": fingerprint, "entity": entity, "alert_id": alert_id}
    return viewer.page(
        "policy/allowances.html.jinja", found=found, ended=bool(ended), given=given, allowed_for=ALLOWED_FOR
    )


@router.post("/policy/allowances")
async def add_allowance(viewer: ViewerPart) -> Response:
    """Let a value pass that was found by mistake."""
    form = viewer.form
    hours = form.get("hours", "")
    added = await viewer.client.allowances.add(
        reason=viewer.field("reason"),
        alert_id=form.get("alert_id"),
        fingerprint=form.get("fingerprint"),
        entity=form.get("entity"),
        hours=whole_number(hours, "hours"),
        secret="secret" in form,
    )
    return viewer.back("/policy/allowances", f"{added.entity}: the value passes until {_end_of(added)}.")


@router.post("/policy/allowances/{allowance_id}/revoke")
async def revoke_allowance(allowance_id: str, viewer: ViewerPart) -> Response:
    """End an allowance now."""
    await viewer.client.allowances.revoke(allowance_id)
    return viewer.back("/policy/allowances", "Revoked: the value is found again.")


def split(text: str, findings: Sequence[ForeseenFinding]) -> list[Piece]:
    """Return a text in pieces, with and without a finding; of findings that overlap the one that begins first."""
    pieces, at = [], 0
    for finding in sorted(findings, key=lambda one: (one.start, -one.end)):
        if finding.start < at:
            continue
        pieces += [Piece(text[at : finding.start])] if finding.start > at else []
        pieces.append(Piece(text[finding.start : finding.end], finding))
        at = finding.end
    return [*pieces, Piece(text[at:])] if at < len(text) else pieces


def _draft_page(viewer: ViewerPart, draft: str, **results: Any) -> Response:
    shown = {"text": "", "days": "", "checked": None, "replayed": None, "sampled": None, "now": None, **results}
    return viewer.page("policy/draft.html.jinja", draft=draft, replayed_days=REPLAYED_DAYS, **shown)


def _end_of(allowance: Allowance) -> str:
    end: datetime = allowance.end
    return f"{end:%Y-%m-%d %H:%M} UTC"

"""Every route that changes something is an act that is audited, or stands here as an operation on data."""

from pathlib import Path
from typing import Any

from fastapi.routing import APIRoute

from vestibule.business_logic_service.api import process
from vestibule.client_service import main as client
from vestibule.contracts.audit import Act
from vestibule.scheduler_service import main as scheduler
from vestibule.service_kit.audit.acts import act_of

ROOT = Path(__file__).parents[2]
# What a caller's program does with its own data and jobs, and what changes nothing. Decisions of the policy about it
# are recorded, and its alerts are.
DATA_OPERATIONS = {
    *("POST /add", "POST /add/batch", "POST /read/batch", "DELETE /delete"),
    *("POST /run", "POST /messages", "POST /scan", "POST /process", "POST /forms/{name}"),
    *("POST /presidio/analyze", "POST /presidio/anonymize", "POST /presidio/deanonymize"),
    "POST /beta/litellm_basic_guardrail_api",
    # What a browser asks before it sends a form.
    "OPTIONS /forms/{name}",
    # Drafts: nothing of them is kept or comes into force.
    *("POST /policy/check", "POST /policy/test", "POST /policy/replay"),
    *("POST /heartbeats/{name}", "POST /heartbeats/{name}/start", "POST /heartbeats/{name}/fail"),
}
# Acts that no route records, and where they are: commands, and what goes on without a request.
ELSEWHERE = {
    *(Act.POLICY_CHANGED, Act.ERASURE_ENDED, Act.KEY_ADDED, Act.KEY_RETIRED, Act.VALUES_REENCRYPTED),
    *(Act.SECRET_ROTATED, Act.DATABASE_BACKED_UP, Act.DATABASE_RESTORED, Act.DATABASE_ADOPTED),
    *(Act.DATABASE_EXPORTED, Act.DATABASE_IMPORTED, Act.TOKEN_MADE, Act.TOKEN_REVOKED),
}


def _routes() -> dict[str, Any]:
    """Return the functions of the routes that callers may call and that are no GET, by method and path."""
    routers = (*client.ROUTERS, *scheduler.ROUTERS, process.router)
    return {
        f"{method} {route.path}": route.endpoint
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods - {"GET", "HEAD"})
    }


def test_every_change_is_an_act_or_an_operation_on_data() -> None:
    """A new route gets `@audited(Act.X)`, or a line above; no line is of a route that is gone."""
    routes = _routes()
    acts = {name for name, endpoint in routes.items() if act_of(endpoint) is not None}
    assert [] == sorted(routes.keys() - acts - DATA_OPERATIONS)
    assert [] == sorted(acts & DATA_OPERATIONS)
    assert [] == sorted(DATA_OPERATIONS - routes.keys())


def test_every_act_is_recorded_somewhere() -> None:
    """By a route, or by what is named above; the documents list each."""
    by_routes = {act_of(endpoint) for endpoint in _routes().values()} - {None}
    assert set() == set(Act) - by_routes - ELSEWHERE
    sources = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    assert [] == [act.name for act in ELSEWHERE if f"Act.{act.name}" not in sources]
    documented = (ROOT / "docs" / "audit.md").read_text()
    assert [] == [act.value for act in Act if f"`{act.value}`" not in documented]

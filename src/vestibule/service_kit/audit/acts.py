"""Marks the routes that are acts, and records each with its outcome.

A route says so by `@audited(Act.X)`. What the line is about is added by `note_act`; parameters of the path are the
target of an act that was done.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from vestibule.contracts.audit import GATED, Act, ActOutcome
from vestibule.contracts.errors import InvalidInput, Unavailable, VestibuleError
from vestibule.service_kit.fast_dispatch.dispatch_plan import NeedsFramework

Endpoint = TypeVar("Endpoint", bound=Callable[..., object])
Handler = Callable[[Request], Awaitable[Response]]
_ATTRIBUTE = "audited_act"


@dataclass(slots=True)
class ActNote:
    """What is known of the act of the current request, beside its caller."""

    act: Act
    act_id: str | None = None
    reason: str | None = None
    target: str | None = None
    is_act: bool = True


class ActRecorder(Protocol):
    """Records acts; `trail.py` has the implementation."""

    async def begin(self, act: Act) -> str:
        """Record in the database service that an act of the current request begins, and return its id.

        Raises:
            Unavailable: it cannot be recorded.
        """
        ...

    async def record(
        self,
        act: Act,
        outcome: ActOutcome = ActOutcome.DONE,
        *,
        act_id: str | None = None,
        problem: str | None = None,
        target: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Record an act of the current request; raises `Unavailable` where no disk takes it."""
        ...


_note: ContextVar[ActNote | None] = ContextVar("act_note", default=None)


def audited(act: Act) -> Callable[[Endpoint], Endpoint]:
    """Mark the function of a guarded route: each request to it is an act, and is recorded with its outcome."""

    def mark(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _ATTRIBUTE, act)
        return endpoint

    return mark


def act_of(endpoint: object) -> Act | None:
    """Return the act that a route's function is marked as."""
    act: Act | None = getattr(endpoint, _ATTRIBUTE, None)
    return act


def note_act(
    act: Act | None = None, *, reason: str | None = None, target: str | None = None, is_act: bool = True
) -> None:
    """Add to the record of the current request's act: its reason, once it was screened, and the id of its target.

    A request that changes nothing, such as a preview, is no act: `is_act=False`. `act` is what it is instead.
    """
    note = _note.get()
    if note is not None:
        note.act, note.is_act = act or note.act, is_act
        note.reason, note.target = reason or note.reason, target or note.target


async def serve_act(request: Request, act: Act, recorder: ActRecorder | None, handle: Handler) -> Response:
    """Serve a request that is an act, and record it.

    Raises:
        Unavailable: the act gives out or destroys, and it cannot be recorded; it was not begun, or is not answered.
    """
    if recorder is None:
        raise RuntimeError(f"the service has no audit for {act}")
    state = request.scope["state"]
    note = ActNote(act, act_id=state.get("act_id"))
    if act in GATED and note.act_id is None:
        note.act_id = state["act_id"] = await recorder.begin(act)
    token = _note.set(note)
    outcome: ActOutcome | None = ActOutcome.FAILED
    problem = VestibuleError.slug
    try:
        response = await handle(request)
        outcome, problem = ActOutcome.DONE, ""
    except NeedsFramework:
        outcome = None  # the same request comes again
        raise
    except (VestibuleError, RequestValidationError, HTTPException) as error:
        is_failure = isinstance(error, Unavailable)
        outcome = ActOutcome.FAILED if is_failure else ActOutcome.REFUSED
        problem = error.slug if isinstance(error, VestibuleError) else InvalidInput.slug
        raise
    finally:
        _note.reset(token)
        if outcome is not None:
            await _record(request, note, recorder, (outcome, problem))
    return response


async def _record(request: Request, note: ActNote, recorder: ActRecorder, ended: tuple[ActOutcome, str]) -> None:
    outcome, problem = ended
    is_done = outcome is ActOutcome.DONE
    if not note.is_act and note.act_id is None:
        return
    # The parameters of a refused request may be anything.
    target = note.target or ("/".join(map(str, request.path_params.values())) if is_done else "")
    await recorder.record(
        note.act, outcome, act_id=note.act_id, problem=problem or None, target=target or None, reason=note.reason
    )

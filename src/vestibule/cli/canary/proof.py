"""The proof: sends every value in every request shape, then searches every place."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from vestibule.cli.canary.disturbance import fail_tasks, kill_workers
from vestibule.cli.canary.shapes import RequestShape, all_shapes
from vestibule.cli.canary.sinks import (
    Place,
    files_below,
    metrics_of,
    processes_of,
    redis_keys,
    temporary_files,
)
from vestibule.cli.canary.values import Canary, make_canaries

# A key is kept by its name, and has to be: how else would it be found again? A request id is there to be told.
KEPT_BY_NAME = frozenset({"key in JSON", "key in the query", "key of a result"})
ANSWERED_WHEN_CLEAN = KEPT_BY_NAME | {"request id"}
LOGGED_WITHIN_S = 0.5
TASK_WAIT_S = 20.0


@dataclass(frozen=True, slots=True)
class ProofTarget:
    """A running Vestibule, and where it writes, as far as this machine can read it."""

    url: str
    token: str
    service_urls: list[str] = field(default_factory=list)
    data_dir: Path | None = None
    redis_url: str | None = None
    outputs: list[Path] = field(default_factory=list)
    is_own: bool = False
    """Whether it runs for this proof alone, so that it may be disturbed."""
    keeps_keys: bool = False
    """Whether the policy lets personal data into keys, which are then kept by name."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A value that was found: of which kind, in which form, and exactly where. Never the value."""

    kind: str
    form: str
    place: str
    offset: int


@dataclass(frozen=True, slots=True)
class ProofResult:
    """The outcome of a proof."""

    requests: int
    places: int
    bytes_searched: int
    leaks: list[Leak]


def prove(
    target: ProofTarget, show_progress: Callable[[str], None], plant: Callable[[list[Canary]], None] | None = None
) -> ProofResult:
    """Send every value in every way to `target`, search every place, and return what was found.

    `plant` may hide a value somewhere before the search, to show that it would be found.
    """
    began = time.time()
    canaries = make_canaries()
    shapes = all_shapes()
    show_progress(f"sending {len(canaries)} values in {len(shapes)} ways to {target.url}")
    answers = list(_send(target, canaries, shapes))
    if plant is not None:
        plant(canaries)
    # What was logged last is still on its way to the files.
    time.sleep(LOGGED_WITHIN_S)
    show_progress("searching what was written")
    places = 0
    searched = 0
    leaks: list[Leak] = []
    traces = [(canary, form, trace) for canary in canaries for form, trace in canary.traces()]
    for place in _places(target, answers, began):
        places += 1
        searched += len(place.content)
        leaks += _search(place, traces)
    return ProofResult(len(answers), places, searched, leaks)


def _send(target: ProofTarget, canaries: list[Canary], shapes: list[RequestShape]) -> Iterator[Place]:
    """Yield the answers that must not repeat what was sent: refusals of every kind, and receipts of tasks."""
    headers = {"Authorization": f"Bearer {target.token}"}
    with httpx.Client(base_url=target.url, headers=headers, timeout=40, trust_env=False) as http:
        for shape in shapes:
            for canary in canaries:
                if _is_kept(target, shape, canary):
                    continue
                answer = shape.send(http, canary)
                head = repr(answer.headers.raw).encode()
                body = answer.content if answer.status_code >= 400 or answer.status_code == 202 else b""
                yield Place(f"answer {answer.status_code} to {canary.kind} as {shape.name}", head + body)
                if answer.status_code == 202:
                    http.get(answer.json()["status_url"], params={"wait": TASK_WAIT_S})
        if target.is_own and target.data_dir is not None and target.redis_url is not None:
            fail_tasks(target.data_dir, target.redis_url, canaries)
            kill_workers(target.data_dir, http, canaries)


def _is_kept(target: ProofTarget, shape: RequestShape, canary: Canary) -> bool:
    """Say whether the shape puts the value where Vestibule says that it keeps and tells it."""
    if canary.kind == "clean text":
        return shape.name in ANSWERED_WHEN_CLEAN
    return target.keeps_keys and shape.name in KEPT_BY_NAME


def _places(target: ProofTarget, answers: Iterable[Place], began: float) -> Iterator[Place]:
    yield from answers
    yield from metrics_of(target.service_urls or [target.url])
    for output in target.outputs:
        yield Place(f"output {output}", output.read_bytes())
    if target.redis_url:
        yield from redis_keys(target.redis_url)
    if target.data_dir:
        yield from files_below(target.data_dir)
        yield from processes_of(target.data_dir)
        yield from temporary_files(began)


def _search(place: Place, traces: list[tuple[Canary, str, bytes]]) -> Iterator[Leak]:
    for canary, form, trace in traces:
        offset = place.content.find(trace)
        if offset >= 0:
            yield Leak(canary.kind, form, place.name, offset)

"""The proof: sends every value in every kind of request and in every field, then searches every place."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

import httpx

from vestibule.cli.canary.console import console_places
from vestibule.cli.canary.fields import TextField, text_fields
from vestibule.cli.canary.requests import REQUESTS, Canary, make_canaries
from vestibule.cli.canary.sinks import Place, ProofTarget, places_of
from vestibule.cli.canary.system import fail_tasks, kill_workers

# Keys are stored by name, which is needed to find them again; the id of a request or a call is returned and logged.
KEPT_BY_NAME = frozenset({"key in JSON", "key in the query", "key of a result"})
ANSWERED_WHEN_CLEAN = KEPT_BY_NAME | {"request id", "id of a call"}
# The fields that are stored by name, or that people read in alerts and lists. What is stored by name is never found
# with findings, unless the policy accepts it in keys; clean text is accepted in all of them.
KEYS = frozenset({"key", "write_to", "pairs"})
READ_BY_PEOPLE = KEYS | {"litellm_call_id", "name", "part", "reason", "token_id"}
# What these are shows without context; the other kinds count with the text around them alone.
SELF_EVIDENT = frozenset({"EMAIL_ADDRESS", "CREDIT_CARD", "IBAN_CODE", "API_KEY"})
LOGGED_WITHIN_S = 0.5
TASK_WAIT_S = 20.0


@dataclass(frozen=True, slots=True)
class Leak:
    """A value that was found: its kind and form, and the exact place. Never the value."""

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

    `plant` may hide a value somewhere before the search, to show that it is found.
    """
    began = time.time()
    canaries = make_canaries()
    show_progress(f"sending {len(canaries)} values in {len(REQUESTS)} ways to {target.url}")
    answers = list(_send(target, canaries))
    if target.console_url:
        show_progress(f"reading the pages of {target.console_url}")
        answers += console_places(target, canaries)
    if plant is not None:
        plant(canaries)
    # The last log lines may not be in the files yet.
    time.sleep(LOGGED_WITHIN_S)
    show_progress("searching everything that was written")
    places = 0
    searched = 0
    leaks: list[Leak] = []
    traces = [(canary, form, trace) for canary in canaries for form, trace in canary.traces()]
    for place in chain(answers, places_of(target, began)):
        places += 1
        searched += len(place.content)
        found = ((canary.kind, form, place.content.find(trace)) for canary, form, trace in traces)
        leaks += [Leak(kind, form, place.name, offset) for kind, form, offset in found if offset >= 0]
    return ProofResult(len(answers), places, searched, leaks)


def _send(target: ProofTarget, canaries: list[Canary]) -> Iterator[Place]:
    """Yield the answers that must not repeat what was sent: refusals of every kind, and accepted tasks."""
    headers = {"Authorization": f"Bearer {target.token}"}
    with httpx.Client(base_url=target.url, headers=headers, timeout=40, trust_env=False) as http:
        for name, send in REQUESTS.items():
            for canary in canaries:
                if _is_kept(target, name, canary):
                    continue
                answer = send(http, canary)
                head = repr(answer.headers.raw).encode()
                body = answer.content if answer.status_code >= 400 or answer.status_code == 202 else b""
                yield Place(f"answer {answer.status_code} to {canary.kind} as {name}", head + body)
                if answer.status_code == 202:
                    http.get(answer.json()["status_url"], params={"wait": TASK_WAIT_S})
        if target.is_own and target.data_dir is not None and target.redis_url is not None:
            for url in target.service_urls:
                yield from _fill_fields(target, url, canaries)
            fail_tasks(target.data_dir, target.redis_url, canaries)
            kill_workers(target.data_dir, http, canaries)


def _fill_fields(target: ProofTarget, url: str, canaries: list[Canary]) -> Iterator[Place]:
    """Yield the refusals of requests to one service with each value in each field of each operation.

    Only a system of its own is sent these: some add silences and schedules, or erase.
    """
    headers = {"Authorization": f"Bearer {target.token}"}
    with httpx.Client(base_url=url, headers=headers, timeout=40, trust_env=False) as http:
        for field in text_fields(http.get("/openapi.json").raise_for_status().json()):
            for canary in canaries:
                if _is_kept_in(target, field, canary):
                    continue
                given = [canary.text, *([canary.value] if canary.kind in SELF_EVIDENT else [])]
                for text in (text for one in given for text in field.texts(one)):
                    answer = field.send(http, text)
                    head = repr(answer.headers.raw).encode()
                    body = answer.content if answer.status_code >= 400 or answer.status_code == 202 else b""
                    yield Place(f"answer {answer.status_code} to {canary.kind} as {field}", head + body)


def _is_kept_in(target: ProofTarget, field: TextField, canary: Canary) -> bool:
    """Say whether Vestibule documents that it stores, by name or for people, what such a field has."""
    step = str(field.steps[0])
    return step in (READ_BY_PEOPLE if canary.kind == "clean text" else KEYS if target.keeps_keys else ())


def _is_kept(target: ProofTarget, request: str, canary: Canary) -> bool:
    """Say whether the request puts the value where Vestibule documents that it stores and returns it."""
    if canary.kind == "clean text":
        return request in ANSWERED_WHEN_CLEAN
    return target.keeps_keys and request in KEPT_BY_NAME

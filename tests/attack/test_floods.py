"""Heads, bodies and documents made to hurt: each is refused with a 4xx, nothing leaks, and a neighbour is served."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

MARK = "canary-51c9"
JSON = "application/json"
SERVICES = {"client": 0, "database": 1, "business_logic": 2, "scheduler": 3}
DEEP = 100_000
# Numbers that are too large, too precise, or no numbers.
NUMBERS = (
    *("1e400", "-1e400", "1e-400", "9" * 400, "-" + "9" * 30, "1" + "0" * 30, "9007199254740993", "0.1e308", "NaN"),
    *(
        "Infinity",
        "-Infinity",
        "true",
        "false",
        "1.5",
        "-1",
        "-0",
        "0x10",
        "010",
        '"1"',
        "[1]",
        "{}",
        "1e",
        "9" * 5_000,
    ),
)
DOCUMENTS = {
    "deep arrays": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep within options": b'{"text": "a", "options": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
    "unfinished": b'{"key": "' + MARK.encode(),
    "many members": b"{" + b",".join(b'"%d": 1' % number for number in range(50_000)) + b"}",
    "one member often": b"{" + b",".join([b'"key": "a"'] * 50_000) + b"}",
    "lone surrogates": b'{"key": "\\ud800", "value": "\\udfff", "text": "\\ud800"}',
    "no UTF-8": b'{"key": "\xff\xfe", "value": "\xc0\x80"}',
    "another encoding": json.dumps({"key": MARK, "value": "x"}).encode("utf-16"),
    "a NUL": b'{"key": "a\\u0000b", "value": "x", "text": "a"}',
    "nothing": b"",
    "blank": b" " * 100_000,
}
# Python's reader of JSON knows UTF-16 by its first bytes; what it reads is checked and screened as ever.
READABLE = {"another encoding"}
MEDIA_TYPES = (
    *(
        "text/plain",
        "text/xml",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ),
    *(
        "application/octet-stream",
        "application/json; charset=utf-16",
        "application/x-yaml",
        "application/json, text/xml",
        "*/*",
        "",
    ),
)


# In place of a parameter, beside the numbers.
WRONG_TEXTS = ("\0", "9" * 19, "9" * 20, "\u0663", "x" * 513, "\U0010ffff" * 512, "", "\u202e", "../..")


def some(values: tuple[str, ...], number: int, name: str) -> tuple[str, ...]:
    """Return so many of the values, others for other names: all for each would take minutes."""
    start = sum(name.encode()) % len(values)
    return (values[start:] + values[:start])[:number]


@pytest.fixture(scope="module")
def attacked(start_for_module: Any) -> Any:
    """A system that may be hurt; services wait for each other for as long as a busy machine takes."""
    return start_for_module(VESTIBULE_AUTH_FAILURES_PER_MINUTE="1000000", VESTIBULE_SERVICE_TIMEOUT_S="20")


@dataclass
class Neighbour:
    """Another caller, who asks for plain things meanwhile."""

    statuses: list[int] = field(default_factory=list)
    slowest_s: float = 0.0


@contextmanager
def neighbour_of(system: Any) -> Iterator[Neighbour]:
    """Ask for plain things until the context ends; each has to succeed in time."""
    seen, is_over = Neighbour(), threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=system.url, headers={"Authorization": "Bearer SECRET_TOKEN"}, timeout=40) as http:
            while not (seen.statuses and is_over.wait(0.05)):
                began = time.monotonic()
                seen.statuses.append(http.post("/add", json={"key": "neighbour", "value": "x"}).status_code)
                seen.slowest_s = max(seen.slowest_s, time.monotonic() - began)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        is_over.set()
        thread.join(60)
    assert seen.statuses
    assert {200} == set(seen.statuses)
    assert seen.slowest_s < 10


def asking(system: Any, service: str) -> httpx.Client:
    """Return a client of a service, with what opens it."""
    token = "SECRET_TOKEN" if service == "client" else (system.data_dir / "keys" / "service_secret").read_text().strip()
    base = system.part_url(SERVICES[service])
    return httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=40)


def bodies_of(http: httpx.Client) -> list[tuple[str, str, dict[str, Any]]]:
    """Return method, path and example of every operation of a service that reads a body."""
    found = []
    for path, methods in http.get("/openapi.json").json()["paths"].items():
        for method, described in methods.items():
            content = described.get("requestBody", {}).get("content", {}).get(JSON)
            if content is not None:
                examples = content.get("examples")
                example = next(iter(examples.values()))["value"] if examples else content["example"]
                found.append((method.upper(), path.replace("{", "").replace("}", ""), example))
    assert found
    return found


def places_in(body: Any) -> Iterator[list[str | int]]:
    """Yield the place of each member of a body."""
    members = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for name, value in members:
        yield [name]
        yield from ([name, *rest] for rest in places_in(value))


def with_text_at(body: Any, place: list[str | int], text: str) -> bytes:
    """Return the body as JSON with `text` at a place of it, as it stands."""
    copy = json.loads(json.dumps(body))
    inner = copy
    for name in place[:-1]:
        inner = inner[name]
    if isinstance(inner, list) and place[-1] not in range(len(inner)):
        inner, place = copy, ["more"]
    inner[place[-1]] = "@here@"
    return json.dumps(copy).replace('"@here@"', text).encode()


def status_of(answer: httpx.Response) -> int:
    """Return the status of an answer; a mistake that Presidio answers with a 500 is the client's, as it is there."""
    is_mistake = answer.request.url.path.startswith("/presidio/") and b"The service failed" not in answer.content
    return 422 if is_mistake and answer.status_code == 500 else answer.status_code


@pytest.mark.parametrize("service", SERVICES)
def test_documents_made_to_hurt_are_refused(attacked: Any, service: str, times: int) -> None:
    """Deep, endless, broken: every operation with a body answers 4xx, and 2xx where the body may be absent."""
    with asking(attacked, service) as http, neighbour_of(attacked):
        for method, path, example in bodies_of(http) * times:
            for name, document in DOCUMENTS.items():
                answer = http.request(method, path, content=document, headers={"Content-Type": JSON})
                # Presidio ignores members that it does not know.
                is_readable = name in READABLE or path.startswith("/presidio/")
                allowed = range(200, 500) if is_readable else range(400, 500)
                assert status_of(answer) in allowed, (method, path, name, answer.status_code)
                assert MARK not in answer.text or answer.status_code == 200
            for media_type in MEDIA_TYPES:
                document = with_text_at({**example, MARK: 0}, [MARK], "1")
                answer = http.request(method, path, content=document, headers={"Content-Type": media_type})
                # JSON is JSON with whatever parameter (RFC 8259, section 11).
                allowed = range(200, 500) if media_type.startswith(f"{JSON};") else range(400, 500)
                assert status_of(answer) in allowed, (method, path, media_type, answer.status_code)
    assert MARK.encode() not in attacked.everything_written()


@pytest.mark.parametrize("service", SERVICES)
def test_numbers_made_to_hurt_are_refused(attacked: Any, service: str, times: int) -> None:
    """In place of each member of each body, the optional ones among them: never a 5xx."""
    with asking(attacked, service) as http, neighbour_of(attacked):
        schemas = http.get("/openapi.json").json()["components"]["schemas"]
        numbers = {
            name
            for schema in schemas.values()
            for name, member in schema.get("properties", {}).items()
            if {"integer", "number"} & {member.get("type"), *(one.get("type") for one in member.get("anyOf", ()))}
        }
        for method, path, example in bodies_of(http) * times:
            places = [place for place in places_in(example) if len(place) <= 3]
            beside = [[*place[:-1], name] for place in places for name in numbers]
            for place in {str(place): place for place in (*places, *beside)}.values():
                for text in some(NUMBERS, 4 * times, str(place)):
                    content = with_text_at(example, place, text)
                    answer = http.request(method, path, content=content, headers={"Content-Type": JSON})
                    assert status_of(answer) < 500, (method, path, place, text[:30], answer.text)


@pytest.mark.parametrize("service", SERVICES)
def test_parameters_made_to_hurt_are_refused(attacked: Any, service: str, times: int) -> None:
    """In place of each parameter of each query: never a 5xx."""
    with asking(attacked, service) as http, neighbour_of(attacked):
        for path, methods in http.get("/openapi.json").json()["paths"].items():
            for method, described in methods.items():
                parameters = described.get("parameters", ())
                queries = {one["name"]: one["example"] for one in parameters if one["in"] == "query"}
                body = {"content": b"{}", "headers": {"Content-Type": JSON}} if "requestBody" in described else {}
                for name in queries if path != "/watch" else ():
                    for text in (*WRONG_TEXTS, *some(NUMBERS, 4 * times, name)):
                        url = path.replace("{", "").replace("}", "")
                        answer = http.request(method.upper(), url, params={**queries, name: text}, **body)
                        assert status_of(answer) < 500, (method, path, name, text[:30], answer.text)


def test_floods_of_heads_and_bodies_are_cut_off(attacked: Any, times: int) -> None:
    """Too many headers, too long ones, bodies over the limit: 4xx each, beside a neighbour who notices nothing."""
    with asking(attacked, "client") as http, neighbour_of(attacked):
        for _ in range(5 * times):
            for headers in (
                {f"X-{number}": MARK for number in range(5_000)},
                {"X-Large": MARK + "x" * 200_000},
                {"Idempotency-Key": "k" * 60_000},
                {"Cookie": "; ".join(["a=b"] * 12_000)},
                {"If-Match": ", ".join(['"1"'] * 12_000)},
                {"Last-Event-ID": "x" * 60_000, "Accept-Encoding": "gzip" * 1000},
            ):
                with refused_early():
                    answer = http.post("/add", json={"key": "flood", "value": "x"}, headers=headers)
                    assert answer.status_code in (200, 412, 422, 431), answer.status_code
            for document in (b"x" * 5_000_000, b'{"key": "' + MARK.encode() * 500_000 + b'"}'):
                with refused_early():
                    answer = http.post("/add", content=document, headers={"Content-Type": JSON})
                    assert 413 == answer.status_code
                with refused_early():
                    answer = http.post("/add", content=iter([document]), headers={"Content-Type": JSON})
                    assert 413 == answer.status_code
    assert MARK.encode() not in attacked.everything_written()


@contextmanager
def refused_early() -> Iterator[None]:
    """Pass over the end of a connection that was refused before all of the request was sent."""
    try:
        yield
    except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
        return

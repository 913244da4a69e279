"""Every request shape in which a value can come in."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from vestibule.cli.canary.values import Canary

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class RequestShape:
    """A kind of request that carries a value."""

    name: str
    send: Callable[[httpx.Client, Canary], httpx.Response]


def all_shapes() -> list[RequestShape]:
    """Return every request shape of the client service."""
    return [*_pairs(), *_disguised(), *_messages(), *_options(), *_places(), *_broken(), *_unknown_tokens()]


def _pairs() -> Iterator[RequestShape]:
    yield RequestShape(
        "value in the query", lambda http, c: http.post("/add", params={"key": "canary", "value": c.text})
    )
    yield RequestShape("value in JSON", lambda http, c: http.post("/add", json={"key": "canary", "value": c.text}))
    yield RequestShape("key in JSON", lambda http, c: http.post("/add", json={"key": c.text, "value": "text"}))
    yield RequestShape("key in the query", lambda http, c: http.post("/add", params={"key": c.text, "value": "text"}))
    yield RequestShape("key to read", lambda http, c: http.get("/read", params={"key": c.value}))
    yield RequestShape("key to run", lambda http, c: http.post("/run", json={"key": c.value}))


def _disguised() -> Iterator[RequestShape]:
    def value(text: str) -> dict[str, str]:
        return {"key": "canary", "value": text}

    yield RequestShape(
        "nested in JSON in the value",
        lambda http, c: http.post("/add", json=value(json.dumps({"a": [{"b": c.text}], "c": c.value}))),
    )
    yield RequestShape(
        "URL-encoded in the value", lambda http, c: http.post("/add", json=value(quote(c.text, safe="")))
    )
    yield RequestShape(
        "Base64 in the value",
        lambda http, c: http.post("/add", json=value(base64.b64encode(c.text.encode()).decode())),
    )
    yield RequestShape("long value", lambda http, c: http.post("/add", json=value(f"{'text ' * 20_000}{c.text}")))


def _messages() -> Iterator[RequestShape]:
    yield RequestShape("message", lambda http, c: http.post("/messages", json={"text": c.text}))
    yield RequestShape("message, sync", lambda http, c: http.post("/messages", json={"text": c.text, "mode": "sync"}))
    # Neither is kept: there is no such minute, and no address may be told over that scheme.
    recurring = {"cron": "61 * * * *"}
    yield RequestShape("recurring text", lambda http, c: http.post("/schedules", json={"text": c.text, **recurring}))
    yield RequestShape("recurring key", lambda http, c: http.post("/schedules", json={"key": c.value, **recurring}))
    told = "gopher://hooks.invalid/"
    yield RequestShape(
        "callback", lambda http, c: http.post("/messages", json={"text": "text", "callback": f"{told}{c.value}"})
    )
    yield RequestShape("scan", lambda http, c: http.post("/scan", json={"text": c.text}))
    yield RequestShape("scan of many", lambda http, c: http.post("/scan", json={"texts": ["text", c.text]}))


def _options() -> Iterator[RequestShape]:
    def work(options: dict[str, str]) -> dict[str, object]:
        return {"key": "canary", "processor": "json_pointer", "options": options}

    def path(canary: Canary) -> str:
        return "/" + canary.text.replace("~", "~0").replace("/", "~1")

    def message(canary: Canary) -> dict[str, object]:
        return {"text": "{}", "processor": "json_pointer", "options": {"pointer": path(canary)}}

    yield RequestShape("option", lambda http, c: http.post("/run", json=work({"pointer": path(c)})))
    yield RequestShape("wrong option", lambda http, c: http.post("/run", json=work({"pointer": c.text})))
    yield RequestShape("option that nobody knows", lambda http, c: http.post("/run", json=work({c.text: c.value})))
    yield RequestShape("key of a result", lambda http, c: http.post("/run", json={"key": "canary", "write_to": c.text}))
    yield RequestShape("option of a message", lambda http, c: http.post("/messages", json=message(c)))


def _places() -> Iterator[RequestShape]:
    pair = {"key": "canary", "value": "text"}
    yield RequestShape("request id", lambda http, c: http.post("/add", json=pair, headers={"X-Request-ID": _header(c)}))
    yield RequestShape("user agent", lambda http, c: http.post("/add", json=pair, headers={"User-Agent": _header(c)}))
    yield RequestShape("header", lambda http, c: http.post("/add", json=pair, headers={"X-Custom": _header(c)}))
    yield RequestShape("ETag", lambda http, c: http.get("/read?key=canary", headers={"If-None-Match": _header(c)}))
    yield RequestShape("path of a task", lambda http, c: http.get(f"/tasks/{quote(c.value, safe='')}"))
    yield RequestShape("path of an alert", lambda http, c: http.get(f"/alerts/{quote(c.value, safe='')}"))
    yield RequestShape("unknown route", lambda http, c: http.get(f"/{quote(c.value, safe='')}?also={quote(c.value)}"))
    yield RequestShape("unknown method", lambda http, c: http.request("BREW", "/add", params={"value": c.value}))
    yield RequestShape("query of another route", lambda http, c: http.get("/health", params={"value": c.value}))
    yield RequestShape("cursor", lambda http, c: http.get("/alerts", params={"cursor": c.value}))
    yield RequestShape("processor", lambda http, c: http.post("/run", json={"key": "canary", "processor": c.value}))


def _broken() -> Iterator[RequestShape]:
    yield RequestShape("broken JSON", lambda http, c: http.post("/add", content=f'{{"key": "{c.value}', headers=JSON))
    yield RequestShape("member that nobody knows", lambda http, c: http.post("/add", json={c.value: c.value}))
    yield RequestShape(
        "wrong type", lambda http, c: http.post("/add", json={"key": [c.value], "value": {"a": c.value}})
    )
    yield RequestShape("not JSON", lambda http, c: http.post("/messages", content=c.text.encode()))
    yield RequestShape(
        "broken UTF-8", lambda http, c: http.post("/add", content=b"\xff\xfe" + c.text.encode(), headers=JSON)
    )
    yield RequestShape("wrong mode", lambda http, c: http.post("/messages", json={"text": "text", "mode": c.value}))
    yield RequestShape(
        "control characters in a key", lambda http, c: http.post("/add", json={"key": f"{c.value}\0", "value": ""})
    )
    yield RequestShape("wait that is no number", lambda http, c: http.get("/tasks/none", params={"wait": c.value}))


def _unknown_tokens() -> Iterator[RequestShape]:
    pair = {"key": "canary", "value": "text"}
    yield RequestShape(
        "token", lambda http, c: http.post("/add", json=pair, headers={"Authorization": f"Bearer {_header(c)}"})
    )
    yield RequestShape(
        "scheme", lambda http, c: http.post("/add", json=pair, headers={"Authorization": f"Basic {_header(c)}"})
    )
    yield RequestShape(
        "text with an unknown token",
        lambda http, c: http.post("/add", json={"value": c.text}, headers={"Authorization": ""}),
    )


def _header(canary: Canary) -> str:
    return canary.value.encode("ascii", "replace").decode()

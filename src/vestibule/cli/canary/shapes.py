"""Every way in which a value can come in: each shape sends it once."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from vestibule.cli.canary.values import Canary

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Shape:
    """A way in: its name, and the request that takes it."""

    name: str
    send: Callable[[httpx.Client, Canary], httpx.Response]


def all_shapes() -> list[Shape]:
    """Return every way in to the client service."""
    return [*_pairs(), *_disguised(), *_messages(), *_options(), *_places(), *_broken(), *_strangers()]


def _pairs() -> Iterator[Shape]:
    yield Shape("value in the query", lambda http, c: http.post("/add", params={"key": "canary", "value": c.text}))
    yield Shape("value in JSON", lambda http, c: http.post("/add", json={"key": "canary", "value": c.text}))
    yield Shape("key in JSON", lambda http, c: http.post("/add", json={"key": c.text, "value": "text"}))
    yield Shape("key in the query", lambda http, c: http.post("/add", params={"key": c.text, "value": "text"}))
    yield Shape("key to read", lambda http, c: http.get("/read", params={"key": c.value}))
    yield Shape("key to run", lambda http, c: http.post("/run", json={"key": c.value}))


def _disguised() -> Iterator[Shape]:
    def value(text: str) -> dict[str, str]:
        return {"key": "canary", "value": text}

    yield Shape(
        "nested in JSON in the value",
        lambda http, c: http.post("/add", json=value(json.dumps({"a": [{"b": c.text}], "c": c.value}))),
    )
    yield Shape("URL-encoded in the value", lambda http, c: http.post("/add", json=value(quote(c.text, safe=""))))
    yield Shape(
        "Base64 in the value",
        lambda http, c: http.post("/add", json=value(base64.b64encode(c.text.encode()).decode())),
    )
    yield Shape("long value", lambda http, c: http.post("/add", json=value(f"{'text ' * 20_000}{c.text}")))


def _messages() -> Iterator[Shape]:
    yield Shape("message", lambda http, c: http.post("/messages", json={"text": c.text}))
    yield Shape("message, sync", lambda http, c: http.post("/messages", json={"text": c.text, "mode": "sync"}))
    # Neither is kept: there is no such minute, and no address may be told over that scheme.
    recurring = {"cron": "61 * * * *"}
    yield Shape("recurring text", lambda http, c: http.post("/schedules", json={"text": c.text, **recurring}))
    yield Shape("recurring key", lambda http, c: http.post("/schedules", json={"key": c.value, **recurring}))
    told = "gopher://hooks.invalid/"
    yield Shape(
        "callback", lambda http, c: http.post("/messages", json={"text": "text", "callback": f"{told}{c.value}"})
    )
    yield Shape("scan", lambda http, c: http.post("/scan", json={"text": c.text}))
    yield Shape("scan of many", lambda http, c: http.post("/scan", json={"texts": ["text", c.text]}))


def _options() -> Iterator[Shape]:
    def work(options: dict[str, str]) -> dict[str, object]:
        return {"key": "canary", "processor": "json_pointer", "options": options}

    def path(canary: Canary) -> str:
        return "/" + canary.text.replace("~", "~0").replace("/", "~1")

    def message(canary: Canary) -> dict[str, object]:
        return {"text": "{}", "processor": "json_pointer", "options": {"pointer": path(canary)}}

    yield Shape("option", lambda http, c: http.post("/run", json=work({"pointer": path(c)})))
    yield Shape("wrong option", lambda http, c: http.post("/run", json=work({"pointer": c.text})))
    yield Shape("option that nobody knows", lambda http, c: http.post("/run", json=work({c.text: c.value})))
    yield Shape("key of a result", lambda http, c: http.post("/run", json={"key": "canary", "write_to": c.text}))
    yield Shape("option of a message", lambda http, c: http.post("/messages", json=message(c)))


def _places() -> Iterator[Shape]:
    pair = {"key": "canary", "value": "text"}
    yield Shape("request id", lambda http, c: http.post("/add", json=pair, headers={"X-Request-ID": _header(c)}))
    yield Shape("user agent", lambda http, c: http.post("/add", json=pair, headers={"User-Agent": _header(c)}))
    yield Shape("header", lambda http, c: http.post("/add", json=pair, headers={"X-Custom": _header(c)}))
    yield Shape("ETag", lambda http, c: http.get("/read?key=canary", headers={"If-None-Match": _header(c)}))
    yield Shape("path of a task", lambda http, c: http.get(f"/tasks/{quote(c.value, safe='')}"))
    yield Shape("path of an alert", lambda http, c: http.get(f"/alerts/{quote(c.value, safe='')}"))
    yield Shape("unknown route", lambda http, c: http.get(f"/{quote(c.value, safe='')}?also={quote(c.value)}"))
    yield Shape("unknown method", lambda http, c: http.request("BREW", "/add", params={"value": c.value}))
    yield Shape("query of another route", lambda http, c: http.get("/health", params={"value": c.value}))
    yield Shape("cursor", lambda http, c: http.get("/alerts", params={"cursor": c.value}))
    yield Shape("processor", lambda http, c: http.post("/run", json={"key": "canary", "processor": c.value}))


def _broken() -> Iterator[Shape]:
    yield Shape("broken JSON", lambda http, c: http.post("/add", content=f'{{"key": "{c.value}', headers=JSON))
    yield Shape("member that nobody knows", lambda http, c: http.post("/add", json={c.value: c.value}))
    yield Shape("wrong type", lambda http, c: http.post("/add", json={"key": [c.value], "value": {"a": c.value}}))
    yield Shape("not JSON", lambda http, c: http.post("/messages", content=c.text.encode()))
    yield Shape("broken UTF-8", lambda http, c: http.post("/add", content=b"\xff\xfe" + c.text.encode(), headers=JSON))
    yield Shape("wrong mode", lambda http, c: http.post("/messages", json={"text": "text", "mode": c.value}))
    yield Shape(
        "control characters in a key", lambda http, c: http.post("/add", json={"key": f"{c.value}\0", "value": ""})
    )
    yield Shape("wait that is no number", lambda http, c: http.get("/tasks/none", params={"wait": c.value}))


def _strangers() -> Iterator[Shape]:
    pair = {"key": "canary", "value": "text"}
    yield Shape(
        "token", lambda http, c: http.post("/add", json=pair, headers={"Authorization": f"Bearer {_header(c)}"})
    )
    yield Shape(
        "scheme", lambda http, c: http.post("/add", json=pair, headers={"Authorization": f"Basic {_header(c)}"})
    )
    yield Shape(
        "text from a stranger", lambda http, c: http.post("/add", json={"value": c.text}, headers={"Authorization": ""})
    )


def _header(canary: Canary) -> str:
    return canary.value.encode("ascii", "replace").decode()

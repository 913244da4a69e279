"""Fake values of every kind, and every kind of request in which a value can come in."""

import base64
import hashlib
import json
import secrets
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

JSON = {"Content-Type": "application/json"}
NDJSON = "application/x-ndjson"
STREAM = {"Accept": "text/event-stream"}
PAIR = {"key": "canary", "value": "text"}
# None is stored: there is no such entity and no such minute, and webhooks are not sent over that scheme.
NO_ALLOWANCE = {"fingerprint": f"e1:{'0' * 32}", "entity": "NO_SUCH_ENTITY", "hours": 1}
NEVER = {"cron": "61 * * * *"}
WEBHOOK = "gopher://hooks.invalid/"


@dataclass(frozen=True, slots=True)
class Canary:
    """A value of some kind, and the text around it that makes it one; `value` is what must be found nowhere."""

    kind: str
    value: str
    text: str

    def traces(self) -> Iterator[tuple[str, bytes]]:
        """Yield every form in which the value could be stored, with the name of the form."""
        raw = self.value.encode()
        bare = "".join(filter(str.isalnum, self.value))
        yield "as it is", raw
        yield "in upper case", self.value.upper().encode()
        yield "without separators", bare.encode()
        yield "JSON-escaped", json.dumps(self.value)[1:-1].encode()
        yield "URL-encoded", quote(self.value, safe="").encode()
        yield "in hexadecimal", raw.hex().encode()
        for name in ("md5", "sha1", "sha256"):
            yield f"as its {name} without a key", hashlib.new(name, raw, usedforsecurity=False).hexdigest().encode()
        for shift in range(3):
            # The Base64 form of a value inside a longer text depends on where it starts; its middle does not change.
            yield "in Base64", base64.b64encode(b"\0" * shift + raw)[shift + 1 : -4]


def make_canaries() -> list[Canary]:
    """Return one value of every kind, and a clean one that must not leak either; finding one proves a leak of this run.

    Sources: the card number has a check digit of ISO/IEC 7812-1, annex B (Luhn); the IBAN those of ISO 13616 and
    ISO/IEC 7064 (MOD 97-10).
    """
    frames = (
        ("EMAIL_ADDRESS", f"canary.{_word(10)}@{_word(8)}.org", "write to {} please"),
        ("PHONE_NUMBER", f"+49 30 {_digits(8)}", "call me at {} today"),
        ("CREDIT_CARD", _card(), "my card is {} thanks"),
        ("IBAN_CODE", _iban(), "pay to IBAN {}"),
        ("US_SSN", f"5{_digits(2)}-{secrets.randbelow(89) + 10}-{secrets.randbelow(8999) + 1000}", "my ssn is {}"),
        ("PASSWORD", f"Kq7!{_word(9)}X2", "the password is {}"),
        ("API_KEY", f"ghp_{_characters(36, string.ascii_letters + string.digits)}", "token: {}"),
        ("clean text", f"zq{_word(16)}", "nothing special about {}"),
    )
    return [Canary(kind, value, frame.format(value)) for kind, value, frame in frames]


def _characters(length: int, alphabet: str) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


def _word(length: int) -> str:
    return _characters(length, string.ascii_lowercase)


def _digits(length: int) -> str:
    return _characters(length, string.digits)


def _card() -> str:
    """Return a number in Visa's range with a valid check digit."""
    body = "4539" + _digits(11)
    doubled = sum(sum(divmod(int(digit) * 2, 10)) for digit in body[::-2])
    check = -(doubled + sum(int(digit) for digit in body[-2::-2])) % 10
    number = f"{body}{check}"
    return " ".join(number[start : start + 4] for start in range(0, 16, 4))


def _iban() -> str:
    """Return a German IBAN with valid check digits."""
    account = _digits(18)
    check = 98 - int(f"{account}131400") % 97
    return f"DE{check:02}{account}"


def _add(http: httpx.Client, value: str) -> httpx.Response:
    return http.post("/add", json={"key": "canary", "value": value})


def _add_with(http: httpx.Client, **headers: str) -> httpx.Response:
    return http.post("/add", json=PAIR, headers={name.replace("_", "-"): text for name, text in headers.items()})


def _run(http: httpx.Client, options: dict[str, str]) -> httpx.Response:
    return http.post("/run", json={"key": "canary", "processor": "json_pointer", "options": options})


def _message(http: httpx.Client, **members: object) -> httpx.Response:
    return http.post("/messages", json={"text": "text", **members})


def _call_model(http: httpx.Client, **members: object) -> httpx.Response:
    return http.post("/beta/litellm_basic_guardrail_api", json={"input_type": "request", **members})


def _form(http: httpx.Client, **content: Any) -> httpx.Response:
    return http.post("/forms/contact", **content)


def _open_stream(http: httpx.Client, **filters: str) -> httpx.Response:
    # A value that could be the name of an entity opens the stream, which would go on for minutes.
    with http.stream("GET", "/decisions", params=filters, headers=STREAM) as answer:
        content = next(answer.iter_bytes(), b"")
    return httpx.Response(answer.status_code, headers=answer.headers, content=content, request=answer.request)


def _options(canary: Canary) -> dict[str, object]:
    return {"allow": [canary.value], "field": canary.value, "thresholds": {"EMAIL_ADDRESS": 0.9}}


def _lines(canary: Canary) -> bytes:
    lines = ({"options": _options(canary)}, {"text": canary.text, "id": canary.value}, {canary.value: canary.text})
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def _pointer(canary: Canary) -> str:
    return "/" + canary.text.replace("~", "~0").replace("/", "~1")


def _ascii(canary: Canary) -> str:
    return canary.value.encode("ascii", "replace").decode()


def _path(canary: Canary) -> str:
    return quote(canary.value, safe="")


# How each kind of request to the client service sends a value.
REQUESTS: dict[str, Callable[[httpx.Client, Canary], httpx.Response]] = {
    "value in the query": lambda http, c: http.post("/add", params={"key": "canary", "value": c.text}),
    "value in JSON": lambda http, c: _add(http, c.text),
    "key in JSON": lambda http, c: http.post("/add", json={"key": c.text, "value": "text"}),
    "key in the query": lambda http, c: http.post("/add", params={"key": c.text, "value": "text"}),
    "key to read": lambda http, c: http.get("/read", params={"key": c.value}),
    "key to run": lambda http, c: http.post("/run", json={"key": c.value}),
    "nested in JSON in the value": lambda http, c: _add(http, json.dumps({"a": [{"b": c.text}], "c": c.value})),
    "URL-encoded in the value": lambda http, c: _add(http, quote(c.text, safe="")),
    "Base64 in the value": lambda http, c: _add(http, base64.b64encode(c.text.encode()).decode()),
    "long value": lambda http, c: _add(http, f"{'text ' * 20_000}{c.text}"),
    "message": lambda http, c: _message(http, text=c.text),
    "message, sync": lambda http, c: _message(http, text=c.text, mode="sync"),
    "form": lambda http, c: _form(http, json={"text": c.text, "several": ["x", c.value]}),
    "form, urlencoded": lambda http, c: _form(http, data={"text": c.text}),
    "form, multipart": lambda http, c: _form(http, files={"text": (None, c.text)}),
    "file of a form": lambda http, c: _form(http, files={"text": (c.value, c.text)}),
    "field of a form": lambda http, c: _form(http, json={c.value: "text"}),
    "origin of a form": lambda http, c: _form(http, json={"text": "text"}, headers={"Origin": _ascii(c)}),
    "name of a form": lambda http, c: http.post(f"/forms/{_path(c)}", json={"text": c.text}),
    "recurring text": lambda http, c: http.post("/schedules", json={"text": c.text, **NEVER}),
    "recurring key": lambda http, c: http.post("/schedules", json={"key": c.value, **NEVER}),
    "callback": lambda http, c: _message(http, callback=f"{WEBHOOK}{c.value}"),
    "reason of a pause": lambda http, c: http.post("/queue/pause", json={"processor": c.value, "reason": c.text}),
    "reason to resume": lambda http, c: http.post("/queue/resume", json={"processor": c.value, "reason": c.text}),
    "path of a schedule": lambda http, c: http.post(f"/schedules/{_path(c)}/run"),
    "scan": lambda http, c: http.post("/scan", json={"text": c.text}),
    "scan of many": lambda http, c: http.post("/scan", json={"texts": ["text", c.text]}),
    "scan with options": lambda http, c: http.post("/scan", json={"text": c.text, "treat": True, **_options(c)}),
    "scan with an unknown entity": lambda http, c: http.post("/scan", json={"text": "text", "entities": [c.value]}),
    "scan of lines": lambda http, c: http.post("/scan", content=_lines(c), headers={"Content-Type": NDJSON}),
    "scan of rows": lambda http, c: http.post(
        "/scan",
        params={"treat": "true"},
        content=f"{c.value}\n{c.text}\n".encode(),
        headers={"Content-Type": "text/csv"},
    ),
    "call of a model": lambda http, c: _call_model(http, texts=[c.text], tools=[{"type": "function", "name": c.value}]),
    "answer of a model": lambda http, c: _call_model(http, input_type="response", texts=[c.text]),
    "call of a tool": lambda http, c: _call_model(http, tool_calls=[{"function": {"arguments": c.text}}]),
    "id of a call": lambda http, c: _call_model(http, texts=["text"], litellm_call_id=c.value),
    "caller of a gateway": lambda http, c: _call_model(
        http, texts=["text"], request_data={"user_api_key_hash": c.text}
    ),
    "text to reveal": lambda http, c: http.post("/reveal", json={"texts": [c.text], "reason": "canary"}),
    "option": lambda http, c: _run(http, {"pointer": _pointer(c)}),
    "wrong option": lambda http, c: _run(http, {"pointer": c.text}),
    "unknown option": lambda http, c: _run(http, {c.text: c.value}),
    "key of a result": lambda http, c: http.post("/run", json={"key": "canary", "write_to": c.text}),
    "option of a message": lambda http, c: _message(
        http, text="{}", processor="json_pointer", options={"pointer": _pointer(c)}
    ),
    "request id": lambda http, c: _add_with(http, X_Request_ID=_ascii(c)),
    "user agent": lambda http, c: _add_with(http, User_Agent=_ascii(c)),
    "header": lambda http, c: _add_with(http, X_Custom=_ascii(c)),
    "ETag": lambda http, c: http.get("/read?key=canary", headers={"If-None-Match": _ascii(c)}),
    "path of a task": lambda http, c: http.get(f"/tasks/{_path(c)}"),
    "path of an alert": lambda http, c: http.get(f"/alerts/{_path(c)}"),
    "preference": lambda http, c: _add_with(http, Prefer=f"receipt, {_ascii(c)}"),
    "path of a receipt": lambda http, c: http.get(f"/receipts/{_path(c)}"),
    "filters of decisions": lambda http, c: http.get("/decisions", params={"token": c.value, "route": c.text}),
    "filter of a stream": lambda http, c: _open_stream(http, entity=c.value),
    "span of counts": lambda http, c: http.get("/decisions/counts", params={"since": c.value}),
    "span of rates": lambda http, c: http.get("/decisions/rates", params={"minutes": c.value}),
    "draft": lambda http, c: http.post("/policy/check", json={"policy": f"[entities]\n{json.dumps(c.value)} = 1"}),
    "draft to replay": lambda http, c: http.post("/policy/replay", json={"policy": c.text}),
    "sample": lambda http, c: http.post("/policy/test", json={"samples": [{"text": c.text, "expect": "pass"}]}),
    "reason of an allowance": lambda http, c: http.post("/allowances", json={**NO_ALLOWANCE, "reason": c.text}),
    "unknown route": lambda http, c: http.get(f"/{_path(c)}?also={quote(c.value)}"),
    "unknown method": lambda http, c: http.request("BREW", "/add", params={"value": c.value}),
    "query of another route": lambda http, c: http.get("/health", params={"value": c.value}),
    "cursor": lambda http, c: http.get("/alerts", params={"cursor": c.value}),
    "processor": lambda http, c: http.post("/run", json={"key": "canary", "processor": c.value}),
    "broken JSON": lambda http, c: http.post("/add", content=f'{{"key": "{c.value}', headers=JSON),
    "unknown member": lambda http, c: http.post("/add", json={c.value: c.value}),
    "wrong type": lambda http, c: http.post("/add", json={"key": [c.value], "value": {"a": c.value}}),
    "not JSON": lambda http, c: http.post("/messages", content=c.text.encode()),
    "broken UTF-8": lambda http, c: http.post("/add", content=b"\xff\xfe" + c.text.encode(), headers=JSON),
    "wrong mode": lambda http, c: _message(http, mode=c.value),
    "control characters in a key": lambda http, c: http.post("/add", json={"key": f"{c.value}\0", "value": ""}),
    "wait that is no number": lambda http, c: http.get("/tasks/none", params={"wait": c.value}),
    "token": lambda http, c: _add_with(http, Authorization=f"Bearer {_ascii(c)}"),
    "scheme": lambda http, c: _add_with(http, Authorization=f"Basic {_ascii(c)}"),
    "text with an unknown token": lambda http, c: http.post(
        "/add", json={"value": c.text}, headers={"Authorization": ""}
    ),
}

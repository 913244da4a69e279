"""Requests for every operation that an OpenAPI description names: valid ones, and each way to get one wrong."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode

Headers = tuple[tuple[str, str], ...]
JSON = "application/json"
# Of every type one, as JSON and as what stands in a query.
WRONG_VALUES: tuple[Any, ...] = (None, True, -1, 2**70, 1.5, "", "wrong", [], ["wrong"], {}, {"wrong": 1})
WRONG_TEXTS = ("", "wrong", "-1", "1.5", "nan", "true", "9" * 30, "%C3%A9", "%00", "%ff", "%zz", "a+b;c", "w" * 700)
# For everything that is a number, in a query, in a header and in a body.
ODD_TEXTS = ("-1", "1e3", "true", "NaN", "9" * 20, f"1{'0' * 30}", "1.5", "0x10", "1_0", "%D9%A1")
ODD_NUMBERS = (b"-1", b"1e3", b"true", b"false", b"NaN", b"9" * 20, b"1" + b"0" * 30, b"1e400", b"-0", b'"1"')
WRONG_BODIES = (
    *(b"", b" ", b"{", b"{}", b"[]", b"null", b"true", b"1", b'"text"', b"{}{}", b"NaN", b'{"key":NaN}', b"\xff"),
    *(b"\xef\xbb\xbf{}", b'{"wrong":"\\ud800"}', b'{"key":"\\ud800","value":"x"}', b'{"key":"a","key":"b"}'),
    *(b"[" * 500, '{"key":"a"}'.encode("utf-16")),
)
MEDIA_TYPES = (
    *("", "json", "text/plain", "multipart/form-data", "application/x-www-form-urlencoded", "application/problem+json"),
    *("application/json; charset=utf-8", "application/json;charset=latin-1", "application/json ;a=b"),
    *("Application/JSON", " application/json", "application/json, text/plain"),
)
CREDENTIALS = ("", "Bearer", "Bearer ", "Bearer unknown", "Basic dTpw", "bearer {token}", "Bearer  {token}", "{token}")
HEADERS: tuple[Headers, ...] = (
    (("if-match", "*"),),
    (("if-match", '"1"'),),
    (("if-match", "wrong"),),
    (("if-match", '"1"'), ("if-match", '"2"')),
    (("if-none-match", "*"),),
    (("if-none-match", '"1", W/"2"'),),
    (("if-none-match", "wrong"),),
    (("if-match", f'"1{"0" * 30}"'),),
    (("if-none-match", f'"{"9" * 20}", "-1", "1e3"'),),
    (("if-match", "*"), ("if-none-match", "*")),
    (("prefer", "receipt"),),
    (("accept", "text/html"),),
    (("accept", JSON),),
    (("last-event-id", "wrong"),),
    (("idempotency-key", ""),),
    (("idempotency-key", "k" * 256),),
    (("vestibule-tenant", "wrong tenant"),),
)
URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
# What a browser may send instead of JSON, and what it may not.
FORMS = (
    *((URLENCODED, text) for text in ("name=Jane&message=x+%26+y", "", "a=1&a=2", "a=%ff", "&".join(["a=1"] * 201))),
    (f"{URLENCODED}; charset=latin-1", "a=1"),
    *(
        (f"{MULTIPART}; boundary=b", f"--b\r\nContent-Disposition: form-data; {about}\r\n\r\nx\r\n{end}")
        for about in ('name="a"', 'name="a"; filename="f.txt"', "wrong")
        for end in ("--b--\r\n", "--b", "")
    ),
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW")


@dataclass(frozen=True)
class Sent:
    """A request: its target as it stands in the request line, and its body in the pieces in which it comes."""

    method: str
    path: str
    query: str = ""
    headers: Headers = ()
    body: tuple[bytes, ...] = ()

    def header(self, name: str, *values: str) -> "Sent":
        """Return it with these values of a header alone."""
        kept = tuple(one for one in self.headers if one[0] != name)
        return replace(self, headers=(*kept, *((name, value) for value in values)))

    def content(self, body: object) -> "Sent":
        """Return it with another body."""
        return replace(self, body=(body if isinstance(body, bytes) else json.dumps(body).encode(),))


class Operation:
    """One operation of a description, and the requests that concern it."""

    def __init__(
        self,
        method: str,
        path: str,
        described: Mapping[str, Any],
        authorizations: tuple[str, str],
        schemas: Mapping[str, Any],
    ) -> None:
        """Take an operation; `authorizations` are of a caller that may do everything and of one that may do nothing.

        `schemas` are those that the description refers to.
        """
        self.method, self.path = method, path
        parameters = described.get("parameters", ())
        # Cursors of numbers are texts of digits.
        self._numbers = [
            one["name"]
            for one in parameters
            if one["in"] == "query" and (_is_number(one["schema"]) or "cursor" in one["name"])
        ]
        schema = described.get("requestBody", {}).get("content", {}).get(JSON, {}).get("schema", {})
        self._number_members = sorted(set(_members_of_numbers(schema, schemas)))
        self.queries: dict[str, Any] = {one["name"]: one["example"] for one in parameters if one["in"] == "query"}
        self.paths: dict[str, Any] = {one["name"]: one["example"] for one in parameters if one["in"] == "path"}
        self._body = _example_body(described)
        self._takes_forms = MULTIPART in described.get("requestBody", {}).get("content", {})
        self._all, self._nothing = authorizations

    def valid(self, query: Mapping[str, Any] | None = None) -> Sent:
        """Return a request with all that the operation takes."""
        path = self.path
        for name, example in self.paths.items():
            path = path.replace(f"{{{name}}}", quote(str(example), safe=""))
        sent = Sent(self.method, path, urlencode(self.queries if query is None else query))
        sent = sent.header("authorization", self._all).header("x-request-id", "the-request")
        return sent if self._body is None else sent.header("content-type", JSON).content(self._body)

    def requests(self, max_body_bytes: int) -> Iterator[Sent]:
        """Yield all."""
        valid = self.valid()
        yield valid
        yield replace(valid, query="")
        yield from self._with_headers(valid)
        yield from self._with_paths(valid)
        yield from (replace(valid, method=method) for method in METHODS if method != self.method)
        yield from self._with_queries(valid)
        if self._body is not None:
            yield from self._with_bodies(replace(valid, query=""), max_body_bytes)
        yield from self._repeated(valid)
        yield valid

    def _with_headers(self, valid: Sent) -> Iterator[Sent]:
        token = self._all.partition(" ")[2]
        yield from (valid.header("authorization", text.format(token=token)) for text in CREDENTIALS)
        yield valid.header("authorization")
        yield valid.header("authorization", self._nothing)
        yield valid.header("authorization", self._nothing, self._all)
        yield from (replace(valid, headers=(*valid.headers, *headers)) for headers in HEADERS)
        yield valid.header("x-request-id", "not well-formed").header("x-request-id", "the-other")

    def _with_paths(self, valid: Sent) -> Iterator[Sent]:
        path = valid.path
        start, _, last = path.rpartition("/")
        for other in (
            f"{path}/",
            f"/{path}",
            f"{path}/more",
            path.upper(),
            f"{path}%20",
            f"/%{ord(path[1]):x}{path[2:]}",
        ):
            yield replace(valid, path=other)
        for text in ("%2F", "%2e%2e", "%ff", "a%2Fb", "1", "%C3%A9", "w" * 300, ".", f"{last};v=1"):
            yield replace(valid, path=f"{start}/{text}")

    def _with_queries(self, valid: Sent) -> Iterator[Sent]:
        for name in self.queries:
            others = {other: value for other, value in self.queries.items() if other != name}
            yield self.valid(others)
            rest = f"&{urlencode(others)}" if others else ""
            for text in _some(WRONG_TEXTS, 6, name):
                yield replace(valid, query=f"{name}={text}{rest}")
            if name in self._numbers:
                yield from (replace(valid, query=f"{name}={text}{rest}") for text in ODD_TEXTS)
            yield replace(valid, query=f"{name}=1&{valid.query}&{name}=2")
            yield replace(valid, query=f"{name}{rest}")
        for more in (
            "unknown=1",
            "&&",
            "=",
            "%",
            "%ff=1",
            "a=%ff",
            "\u00e9".encode().decode("latin-1"),
            "&".join(f"q{n}" for n in range(30)),
        ):
            yield replace(valid, query=f"{valid.query}&{more}")

    def _with_bodies(self, valid: Sent, max_body_bytes: int) -> Iterator[Sent]:
        yield from (valid.content(body) for body in WRONG_BODIES)
        yield from (valid.header("content-type", media_type) for media_type in MEDIA_TYPES)
        yield valid.header("content-type")
        yield valid.header("content-type", "text/plain", JSON)
        for body in _wrong_versions(self._body):
            yield valid.content(body)
        for member in self._number_members:
            mark = json.dumps(_with_member(self._body, member, "@")).encode()
            yield from (valid.content(mark.replace(b'"@"', number)) for number in ODD_NUMBERS)
        if self._takes_forms:
            yield from (valid.header("content-type", kind).content(text.encode()) for kind, text in FORMS)
        content = valid.body[0]
        yield replace(valid, body=(content[:5], content[5:], b""))
        yield replace(valid, body=(b"", content[:-1]))
        huge = b'{"key":"' + b"x" * max_body_bytes + b'"}'
        yield valid.content(huge).header("content-length", str(len(huge)))
        yield replace(valid, body=(huge[:1000], huge[1000:]))
        yield valid.header("content-length", "wrong")

    def _repeated(self, valid: Sent) -> Iterator[Sent]:
        """Yield requests that share an `Idempotency-Key`: a rejected one must leave no record of it behind."""
        named = valid.header("idempotency-key", f"{self.method} {self.path}")
        if self._body is not None:
            yield named.content(b"{")
            yield named.content({"wrong": 1})
        yield replace(named, query="limit=wrong&limit=wrong&ttl_s=wrong")
        yield from (named, named, named.content(b"other"), named)


def operations(description: Mapping[str, Any], authorizations: tuple[str, str]) -> list[Operation]:
    """Return all operations of a description."""
    schemas = description.get("components", {}).get("schemas", {})
    return [
        Operation(method.upper(), path, described, authorizations, schemas)
        for path, methods in description["paths"].items()
        for method, described in methods.items()
    ]


def _example_body(described: Mapping[str, Any]) -> Any:
    content = described.get("requestBody", {}).get("content", {}).get(JSON)
    if content is None:
        return None
    examples = content.get("examples")
    return next(iter(examples.values()))["value"] if examples else content["example"]


def _is_number(schema: Mapping[str, Any]) -> bool:
    kinds = [schema, *schema.get("anyOf", ())]
    return any(kind.get("type") in {"integer", "number"} for kind in kinds)


def _members_of_numbers(
    schema: Mapping[str, Any], schemas: Mapping[str, Any], within: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Yield the path of each member of a body that is a number; `*` is the first of an array."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if _is_number(schema) and within:
        yield within
    if len(within) > 3:
        return
    for kind in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _members_of_numbers(kind, schemas, within)
    if "items" in schema:
        yield from _members_of_numbers(schema["items"], schemas, (*within, "*"))
    for name, member in schema.get("properties", {}).items():
        yield from _members_of_numbers(member, schemas, (*within, name))


def _with_member(body: Any, path: tuple[str, ...], value: Any) -> Any:
    """Return `body` with another value at a path, which it need not have."""
    if not path:
        return value
    first, *rest = path
    if first == "*":
        items = body if isinstance(body, list) and body else [{}]
        return [_with_member(items[0], tuple(rest), value), *items[1:]]
    members = body if isinstance(body, dict) else {}
    return {**members, first: _with_member(members.get(first), tuple(rest), value)}


def _some(values: tuple[Any, ...], count: int, name: str) -> tuple[Any, ...]:
    """Return so many of `values`, others for other names: all of them for each name would take minutes."""
    start = sum(name.encode()) % len(values)
    return (*values[start:], *values[:start])[:count]


def _wrong_versions(body: Any) -> Iterator[Any]:
    """Yield `body` with one member less, more, or of each other type, at its top and one level below."""
    if isinstance(body, list) and body:
        yield from ([version, *body[1:]] for version in _wrong_versions(body[0]))
    if not isinstance(body, dict):
        return
    yield {**body, "unknown": 1}
    for name, value in body.items():
        yield {other: each for other, each in body.items() if other != name}
        yield from ({**body, name: wrong} for wrong in _some(WRONG_VALUES, 4, name))
        yield from ({**body, name: version} for version in _wrong_versions(value))

"""What stands on the page about the API, taken from its OpenAPI description."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

DEEPEST = 4
JSON = "application/json"
PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Member:
    """A parameter, or a member of a body; `place` is where it stands: query, path, header, or nothing."""

    name: str
    place: str
    kind: str
    is_required: bool
    about: str


@dataclass(frozen=True, slots=True)
class BodySample:
    """An example, with what it shows, and the page about it."""

    title: str
    text: str
    page: str = ""


@dataclass(frozen=True, slots=True)
class ResponseSample:
    """One status that a route answers with."""

    status: str
    about: str
    members: list[Member]
    samples: list[BodySample]

    @property
    def tone(self) -> str:
        """Whether it is what was asked for, or a refusal."""
        return "good" if self.status[0] in "23" else "bad"


@dataclass(frozen=True, slots=True)
class OperationView:
    """A method of a path."""

    anchor: str
    method: str
    path: str
    about: str
    scope: str
    parameters: list[Member]
    body: list[Member]
    curl: str
    answers: list[ResponseSample]


@dataclass(frozen=True, slots=True)
class DocsView:
    """The page."""

    title: str
    version: str
    about: str
    groups: dict[str, list[OperationView]]


def view_docs(schema: Mapping[str, Any]) -> DocsView:
    """Return what stands on the page of an API."""
    reader = _Reader(schema.get("components", {}).get("schemas", {}))
    groups: dict[str, list[OperationView]] = {}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            group = next(iter(operation.get("tags", ())), "other")
            groups.setdefault(group, []).append(reader.operation(method.upper(), path, operation))
    info = schema["info"]
    return DocsView(info["title"], info["version"], info.get("description", ""), groups)


class _Reader:
    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self._schemas = schemas

    def operation(self, method: str, path: str, described: Mapping[str, Any]) -> OperationView:
        parameters = described.get("parameters", [])
        body = described.get("requestBody", {}).get("content", {}).get(JSON)
        scopes = [scope for one in described.get("security", ()) for names in one.values() for scope in names]
        return OperationView(
            anchor=described["operationId"],
            method=method,
            path=path,
            about=described.get("description", ""),
            scope=scopes[0] if scopes else "",
            parameters=[self._parameter(one) for one in parameters],
            body=list(self._members(body["schema"])) if body else [],
            curl=_curl(method, path, parameters, body, is_guarded="security" in described),
            answers=[self._answer(status, answer) for status, answer in described["responses"].items()],
        )

    def _parameter(self, one: Mapping[str, Any]) -> Member:
        kind, about = self._kind(one["schema"]), one.get("description", "")
        return Member(one["name"], one["in"], kind, bool(one.get("required")), about)

    def _answer(self, status: str, answer: Mapping[str, Any]) -> ResponseSample:
        content = answer.get("content", {})
        described = content.get(JSON, {})
        samples = [BodySample("", _pretty(described["example"]))] if "example" in described else []
        for one in content.get(PROBLEM, {}).get("examples", {}).values():
            samples.append(BodySample(one["summary"], _pretty(one["value"]), one["value"]["type"]))
        members = list(self._members(described["schema"])) if "schema" in described else []
        about = answer["description"] if answer["description"] != "Successful Response" else "Done"
        others = ", ".join(kind for kind in content if kind not in (JSON, PROBLEM))
        return ResponseSample(status, f"{about} ({others})" if others else about, members, samples)

    def _members(self, schema: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[Member]:
        """Give the members of an object, and of the objects in it by their paths."""
        form = self._form(schema)
        if form.get("type") == "array":
            yield from self._members(form["items"], f"{prefix}[]", depth)
        if depth >= DEEPEST:
            return
        required = form.get("required", ())
        # What has to be there comes first.
        for name, member in sorted(form.get("properties", {}).items(), key=lambda one: one[0] not in required):
            path = f"{prefix}.{name}" if prefix else name
            about = member.get("description", "")
            yield Member(path, "", self._kind(member), name in required, about)
            yield from self._members(member, path, depth + 1)

    def _kind(self, schema: Mapping[str, Any]) -> str:
        form = self._form(schema)
        if "enum" in form:
            return " | ".join(str(one) for one in form["enum"])
        if "const" in form:
            return str(form["const"])
        if form.get("type") == "array":
            return f"list of {self._kind(form['items'])}"
        return str(form.get("format") or form.get("type") or "any")

    def _form(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema or "anyOf" in schema:
            schema = schema["anyOf"][0] if "anyOf" in schema else self._schemas[schema["$ref"].rpartition("/")[2]]
        return schema


def _curl(method: str, path: str, parameters: list[Any], body: Mapping[str, Any] | None, *, is_guarded: bool) -> str:
    query = []
    for one in parameters:
        value = quote(str(one["example"]), safe="")
        if one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", value)
        elif one["in"] == "query" and one.get("required"):
            query.append(f"{one['name']}={value}")
    verb = "" if method == "GET" else f"-X {method} "
    words = [f'curl {verb}"$URL{path}{"?" if query else ""}{"&".join(query)}"']
    if is_guarded:
        words.append('-H "Authorization: Bearer $TOKEN"')
    if body is not None:
        words.append(f"-H \"Content-Type: application/json\" -d '{json.dumps(body['example'], ensure_ascii=False)}'")
    return " \\\n  ".join(words)


def _pretty(example: Any) -> str:
    return json.dumps(example, indent=2, ensure_ascii=False)

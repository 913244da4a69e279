"""Every field of every operation that can hold text, found from OpenAPI descriptions, and requests that fill one."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from vestibule.contracts.entries import EVENT_STREAM

# The forms in which a field takes a text that is only a part of it.
FORMS: Mapping[str, tuple[str, ...]] = {
    "callback": ("https://{}.example.org/", "https://example.org/{}"),
    "part": ("{}", "heartbeat:{}"),
}
# A request may have one of both.
_INSTEAD_OF = {"text": "key", "texts": "text", "every_s": "cron"}
# Text of these formats is parsed, and stored as what it means.
_PARSED_FORMATS = frozenset({"date", "date-time", "uuid"})
_JSON = "application/json"
_DEEPEST = 8
# What says something of an object without saying that it is one, such as which members exclude each other.
_CONDITIONS = frozenset({"required", "properties", "not"})
# A member of any name: the value goes into its name, then into its value.
ANY_NAME, ANY_VALUE = "{name}", "{value}"
Step = str | int


@dataclass(frozen=True, slots=True)
class TextField:
    """A field that can hold text: `place` is `path`, `query`, `header` or `body`, `steps` leads to it in there."""

    method: str
    path: str
    place: str
    steps: tuple[Step, ...]
    parameters: tuple[Mapping[str, Any], ...]
    body: Any = None

    @property
    def operation(self) -> str:
        """The method and the template of the path."""
        return f"{self.method} {self.path}"

    @property
    def name(self) -> str:
        """The name of the parameter, or of the outermost member that is not a list."""
        named = [step for step in self.steps if isinstance(step, str) and step not in (ANY_NAME, ANY_VALUE)]
        return named[-1] if named else str(self.steps[0])

    def __str__(self) -> str:
        return f"{self.operation} {self.place} {'.'.join(map(str, self.steps))}"

    def texts(self, value: str) -> list[str]:
        """Return the texts with the value that the field is to be given."""
        return [form.format(value) for form in FORMS.get(self.name, ("{}",))]

    def send(self, http: httpx.Client, text: str) -> httpx.Response:
        """Send a request that is valid but for this field, which has `text`."""
        path, query, headers = self.path, {}, {}
        is_instead_of_body = self.place == "query" and self.body is not None
        for one in self.parameters:
            is_this = (one["in"], one["name"]) == (self.place, self.steps[0])
            if one["in"] == "path":
                path = path.replace(f"{{{one['name']}}}", quote(text if is_this else str(one["example"]), safe=""))
            elif is_this and one["in"] == "query":
                query[one["name"]] = text
            elif is_this:
                headers[one["name"]] = text.encode("ascii", "replace").decode()
            elif one["in"] == "query" and (one.get("required") or is_instead_of_body):
                query[one["name"]] = str(one["example"])
        body = None if is_instead_of_body else deepcopy(self.body)
        if self.place == "body":
            if isinstance(body, dict):
                body.pop(_INSTEAD_OF.get(str(self.steps[0]), ""), None)
            body = _filled(body, self.steps, text)
        content = {} if body is None else {"json": body}
        with http.stream(self.method, path, params=query, headers=headers, **content) as answer:
            # A stream of events has no end.
            if EVENT_STREAM not in answer.headers.get("content-type", ""):
                answer.read()
        return answer


def _filled(content: Any, steps: tuple[Step, ...], text: str) -> Any:
    if not steps:
        return text
    first, rest = steps[0], steps[1:]
    if isinstance(first, int):
        items = content if isinstance(content, list) and content else [None]
        return [_filled(items[0], rest, text), *items[1:]]
    members = content if isinstance(content, dict) else {}
    if first == ANY_NAME:
        return {**members, text: text}
    return {**members, "any" if first == ANY_VALUE else first: _filled(members.get(first), rest, text)}


def text_fields(description: Mapping[str, Any]) -> list[TextField]:
    """Return every field of an OpenAPI description that takes free text: neither a number nor one of known words."""
    schemas = description["components"]["schemas"]
    found = []
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            parameters = tuple(operation.get("parameters", ()))
            content = operation.get("requestBody", {}).get("content", {}).get(_JSON, {})
            examples = [one["value"] for one in content.get("examples", {}).values()]
            body = content.get("example", examples[0] if examples else None)
            places = [(one["in"], steps) for one in parameters for steps in _of_parameter(one, schemas)]
            places += [
                ("body", steps)
                for steps in dict.fromkeys(_of_schema(content.get("schema", {"type": "null"}), schemas, ()))
            ]
            found += [TextField(method.upper(), path, place, steps, parameters, body) for place, steps in places]
    return found


def _of_parameter(parameter: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[tuple[Step, ...]]:
    if any(True for _ in _of_schema(parameter["schema"], schemas, ())):
        yield (parameter["name"],)


def _of_schema(
    schema: Mapping[str, Any], schemas: Mapping[str, Any], steps: tuple[Step, ...]
) -> Iterator[tuple[Step, ...]]:
    """Yield where text can stand in what the schema describes."""
    if "$ref" in schema:
        schema = {**schemas[schema["$ref"].rpartition("/")[2]], **schema}
    if len(steps) > _DEEPEST or "enum" in schema or "const" in schema or schema.get("format") in _PARSED_FORMATS:
        return
    forms = [form for several in ("anyOf", "oneOf", "allOf") for form in schema.get(several, ())]
    for form in forms:
        yield from _of_schema(form, schemas, steps)
    match schema.get("type"):
        case "string":
            yield steps
        case "array":
            yield from _of_schema(schema.get("items", {}), schemas, (*steps, 0))
        case "object":
            for name, member in schema.get("properties", {}).items():
                yield from _of_schema(member, schemas, (*steps, name))
            more = schema.get("additionalProperties", "properties" not in schema)
            if more is not False:
                yield (*steps, ANY_NAME)
                yield from _of_schema(more if isinstance(more, Mapping) else {}, schemas, (*steps, ANY_VALUE))
        case None if not forms and "$ref" not in schema and _CONDITIONS.isdisjoint(schema):
            yield steps  # anything, and so text

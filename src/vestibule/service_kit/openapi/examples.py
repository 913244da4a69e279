"""Makes an example of each body and parameter from what is known of its members, so that none goes without one."""

from collections.abc import Mapping
from typing import Any

# What members look like that do not say it themselves; those of one name are alike in every service.
_BY_NAME: Mapping[str, Any] = {
    "alert_id": "9a76fd8275cf19f0",
    "author": "operations",
    "channel": "webhook",
    "cursor": "20260131T120000",
    "data": "hello",
    "description": "EMAIL_ADDRESS in the value of a request; the request was rejected.",
    "forms": ["jane@example.org"],
    "fingerprint": "e692:ac6ac54536234054e0ed3e0b049212e7",
    "grace_s": 3_600,
    "holder": "host-1:8003",
    "id": "9a76fd8275cf19f0",
    "idempotency-key": "order-4711",
    "if-match": '"1"',
    "if-none-match": "*",
    "key": "test1",
    "keys": ["test1", "test2"],
    "last-event-id": "AUpHih16myyOP6cn…",
    "name": "nightly-backup",
    "part": "database",
    "period_s": 86_400,
    "prefix": "orders/",
    "processor": "uppercase",
    "reason": "ticket 4711",
    "request_id": "9638cc59bda34a3ca9d5f4bd55eeedb0",
    "state_by": "operations",
    "state_reason": "ticket 4711",
    "subject": "database",
    "schedule_id": "6f0c5a3e6d0f4a439c550a7d6a2f6f0e",
    "states": "queued,running",
    "task_id": "0b7c5a3e-6d0f-4a43-9c55-0a7d6a2f6f0e",
    "task_ids": ["0b7c5a3e-6d0f-4a43-9c55-0a7d6a2f6f0e"],
    "tenant": "default",
    "time": "2026-01-31T12:00:00+00:00",
    "title": "Database service",
    "token_id": "development",
    "ttl_s": 3_600,
    "value": "hello",
    "wait": 10,
    "window_id": "9a76fd8275cf19f0",
}
_BY_FORMAT: Mapping[str, Any] = {"date-time": "2026-01-31T12:00:00Z"}
_BY_TYPE: Mapping[str, Any] = {"integer": 1, "number": 1.5, "boolean": True, "string": "…", "object": {}, "null": None}
_JSON = "application/json"


class Examples:
    """Knows the schemas of an API, and makes examples of them."""

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self._schemas = schemas

    def complete(self, operation: dict[str, Any]) -> None:
        """Give each parameter and each JSON body of an operation an example, where it has none."""
        for parameter in operation.get("parameters", ()):
            if "example" not in parameter and "examples" not in parameter:
                parameter["example"] = self._example(parameter["schema"], parameter["name"])
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for described in (*bodies, *operation["responses"].values()):
            content = described.get("content", {}).get(_JSON)
            if content is not None and not {"example", "examples"} & content.keys():
                content["example"] = self._example(content["schema"], "")

    def _example(self, schema: Mapping[str, Any], name: str) -> Any:
        schema = self._resolve(schema)
        known = [*schema.get("examples", ())[:1], *([_BY_NAME[name]] if name in _BY_NAME else ())]
        known += [schema[fixed] for fixed in ("const", "default") if schema.get(fixed) is not None]
        known += schema.get("enum", ())[:1]
        return known[0] if known else self._by_type(schema, name)

    def _by_type(self, schema: Mapping[str, Any], name: str) -> Any:
        match schema.get("type"):
            case "object":
                return self._object(schema)
            case "array":
                return [self._example(schema["items"], name)]
        return _BY_FORMAT.get(schema.get("format", ""), _BY_TYPE.get(schema.get("type", ""), "…"))

    def _object(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        required = schema.get("required", ())
        return {
            name: self._example(member, name)
            for name, member in schema.get("properties", {}).items()
            if name in required or "const" in member or self._says_itself(member)
        }

    def _says_itself(self, member: Mapping[str, Any]) -> bool:
        # What need not be there stands in an example only where its model shows what it looks like.
        return bool(member.get("examples") or self._resolve(member).get("examples"))

    def _resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Follow references, and take the first of several forms; what stands beside them stays."""
        if "$ref" in schema:
            beside = {name: value for name, value in schema.items() if name != "$ref"}
            return {**self._resolve(self._schemas[schema["$ref"].rpartition("/")[2]]), **beside}
        for several in ("anyOf", "oneOf", "allOf"):
            if several in schema:
                beside = {name: value for name, value in schema.items() if name != several}
                return {**self._resolve(schema[several][0]), **beside}
        return schema

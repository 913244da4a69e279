"""Calls of operations: what a resource asks for, and the HTTP request that this becomes."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from vestibule.client.configuration import Configuration
from vestibule.client.operations import OPERATIONS, Operation, Repeat

JSON = "application/json"
EVENT_STREAM = "text/event-stream"
NOTHING: Mapping[str, Any] = {}
# The version of an entry that must not exist.
NO_ENTRY = 0
# That of the HTTP library.
MAX_URL_CHARS = 65_536

_IDEMPOTENCY_KEY = re.compile(r"[\x20-\x7e]{1,255}")


class Call:
    """A call of an operation. None in `query` and `body` is left out; nothing of it stands in a text of it."""

    __slots__ = (
        "accept",
        "body",
        "headers",
        "idempotency_key",
        "long_poll_s",
        "operation_id",
        "path",
        "query",
        "repeat",
    )

    def __init__(
        self,
        operation_id: str,
        *,
        path: Mapping[str, str] = NOTHING,
        query: Mapping[str, Any] = NOTHING,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] = NOTHING,
        accept: str = JSON,
        idempotency_key: str | None = None,
        repeat: Repeat | None = None,
        long_poll_s: float = 0.0,
    ) -> None:
        """Take the parts of the request.

        Args:
            operation_id: as in the description of the service.
            path: the parameters of the path.
            query: the parameters of the query.
            body: the members of the JSON object.
            headers: those that are particular to it.
            accept: the media type of the answer.
            idempotency_key: that of the caller; else one is made where the operation takes one.
            repeat: where it differs from that of the operation.
            long_poll_s: how long the service may wait before it answers.
        """
        self.operation_id = operation_id
        self.path = path
        self.query = query
        self.body = body
        self.headers = headers
        self.accept = accept
        self.idempotency_key = idempotency_key
        self.repeat = repeat
        self.long_poll_s = long_poll_s

    def on_page(self, cursor: str) -> "Call":
        """Return the call for another page."""
        return Call(self.operation_id, path=self.path, query={**self.query, "cursor": cursor})

    def as_stream(self, last_id: str | None) -> "Call":
        """Return the call for the events after an id."""
        headers = {} if last_id is None else {"Last-Event-ID": last_id}
        return Call(self.operation_id, path=self.path, query=self.query, headers=headers, accept=EVENT_STREAM)

    @property
    def operation(self) -> Operation:
        """The operation of the service."""
        return OPERATIONS[self.operation_id]


class OutgoingRequest:
    """A request as it is sent, the same for each attempt; `address` is that of the service, without any data."""

    __slots__ = ("address", "content", "headers", "method", "repeat", "url")

    def __init__(
        self, method: str, url: str, content: bytes | None, headers: dict[str, str], *, repeat: Repeat, address: str
    ) -> None:
        """Take what is sent, and whether it may be sent again."""
        self.method = method
        self.url = url
        self.content = content
        self.headers = headers
        self.repeat = repeat
        self.address = address


def prepare(call: Call, configuration: Configuration) -> OutgoingRequest:
    """Return the request of a call.

    Raises:
        ValueError: a part of the path is empty, or too long with the query; the idempotency key is not valid; or no
            text in UTF-8 is possible.
        TypeError: a value is nothing that JSON has.
    """
    operation = call.operation
    headers = {"Accept": call.accept, "User-Agent": configuration.user_agent or "vestibule-client", **call.headers}
    if configuration.token is not None:
        headers["Authorization"] = f"Bearer {configuration.token}"
    if configuration.request_id is not None:
        headers["X-Request-ID"] = configuration.request_id
    if configuration.forwarded_for is not None:
        headers["X-Forwarded-For"] = configuration.forwarded_for
    repeat = call.repeat or operation.repeat
    if repeat is Repeat.KEYED:
        key = call.idempotency_key
        if key is None and configuration.retry.attempts > 1:
            key = os.urandom(16).hex()
        if key is None:
            repeat = Repeat.NEVER
        else:
            headers["Idempotency-Key"] = _checked_key(key)
    content = None
    if call.body is not None:
        headers["Content-Type"] = JSON
        content = json.dumps(without_none(call.body), ensure_ascii=False, allow_nan=False).encode()
    base = configuration.base_url(is_of_scheduler=operation.is_of_scheduler)
    url = base + _path(operation.path, call.path) + _query(call.query)
    if len(url) > MAX_URL_CHARS:
        raise ValueError("a part of the path or the query is too long")
    return OutgoingRequest(operation.method, url, content, headers, repeat=repeat, address=base)


def without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a JSON object without those that are None, and times as text."""
    return {name: _json(value) for name, value in members.items() if value is not None}


def condition(if_version: int | None) -> dict[str, str]:
    """Return the header that lets a request change an entry only in one version; 0: only if there is no entry."""
    if if_version is None:
        return {}
    return {"If-None-Match": "*"} if if_version == NO_ENTRY else {"If-Match": f'"{if_version}"'}


def preference(*, receipt: bool) -> dict[str, str]:
    """Return the header that asks for a signed receipt of the decision."""
    return {"Prefer": "receipt"} if receipt else {}


def _checked_key(key: str) -> str:
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        raise ValueError("idempotency_key must be 1 to 255 printable ASCII characters")
    return key


def _path(template: str, given: Mapping[str, str]) -> str:
    quoted = {}
    for name, value in given.items():
        if not value:
            raise ValueError(f"{name} must not be empty")
        # Dots alone would be taken for a step in the path.
        quoted[name] = value.replace(".", "%2E") if value in (".", "..") else quote(value, safe="")
    return template.format(**quoted)


def _query(given: Mapping[str, Any]) -> str:
    pairs = [(name, one) for name, value in given.items() for one in _texts(value)]
    return f"?{urlencode(pairs)}" if pairs else ""


def _texts(value: Any) -> list[str]:
    if value is None or value is False:
        return []
    if isinstance(value, str):
        return [value]
    if isinstance(value, Sequence):
        return [text for one in value for text in _texts(one)]
    if value is True:
        return ["true"]
    return [_time(value) if isinstance(value, datetime) else str(value)]


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return _time(value)
    if isinstance(value, Mapping):
        return without_none(value)
    # Bytes would be a list of numbers; JSON has none, so they are refused.
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray | memoryview):
        return [_json(one) for one in value]
    return value


def _time(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError("a time needs a time zone, such as datetime.now(UTC)")
    return moment.isoformat()

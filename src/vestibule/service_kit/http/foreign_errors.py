"""Answers errors as `{"error": ...}` on the routes whose clients know no problem documents.

Stands outside all other middleware. What refuses a request there, route or frame, answers it as everywhere: the log,
the metrics and the traces have our status. The client gets the sentence about it, under the status that a route has set
where its clients expect another one: a mistake of the client may be a 500 to them, and is none of ours.
"""

from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vestibule.service_kit.problems import MEDIA_TYPE

# In the state of a request: the status of its error to the client.
FOREIGN_STATUS = "foreign_status"
# Clients that send a name and a password only when they are asked for them.
_BASIC = (b"www-authenticate", b'Basic realm="vestibule", charset="UTF-8"')
_REPLACED = frozenset({b"content-type", b"content-length"})


class ForeignErrors:
    """Rewrites the problem documents of answers to paths under `prefix`."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix):
            await self._app(scope, receive, send)
            return
        begun: Message | None = None
        content = b""

        async def send_rewritten(message: Message) -> None:
            nonlocal begun, content
            if begun is None and not (message.get("status", 0) >= 400 and _is_problem(message)):
                await send(message)
                return
            if begun is None:
                begun = message
                return
            content += message.get("body", b"")
            if not message.get("more_body", False):
                start, body = _rewritten(begun, content, scope)
                await send(start)
                await send({"type": "http.response.body", "body": body})

        await self._app(scope, receive, send_rewritten)


def _is_problem(message: Message) -> bool:
    return any(name == b"content-type" and value == MEDIA_TYPE.encode() for name, value in message["headers"])


def _rewritten(start: Message, content: bytes, scope: Scope) -> tuple[Message, bytes]:
    """Return the start and the body of an answer; that to a HEAD request has no body."""
    problem: dict[str, Any] = orjson.loads(content) if content else {}
    body = orjson.dumps({"error": problem["detail"]}) if problem else b""
    headers = [one for one in start["headers"] if one[0] not in _REPLACED]
    headers.append((b"content-type", b"application/json"))
    if body:
        headers.append((b"content-length", str(len(body)).encode()))
    if start["status"] == 401:
        headers.append(_BASIC)
    status = scope.get("state", {}).get(FOREIGN_STATUS, start["status"])
    return {**start, "status": status, "headers": headers}, body

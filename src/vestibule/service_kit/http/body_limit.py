"""The limit on what is read of a body; the framework's own stands outside the frame and answers in plain text."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """Lets a route read at most `max_bytes` of a body; it is asked for nothing that is declared to be longer."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; reading too much of it raises a 413 in the route, which the edge renders."""
        if scope["type"] == "http":
            receive = _Counted(receive, _declared_length(scope), self._max_bytes).receive
        await self._app(scope, receive, send)


class _Counted:
    def __init__(self, receive: Receive, declared_bytes: int, max_bytes: int) -> None:
        self._receive = receive
        self._declared_bytes = declared_bytes
        self._left_bytes = max_bytes
        self._is_whole = False

    async def receive(self) -> Message:
        if self._declared_bytes > self._left_bytes:
            raise HTTPException(413)
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._is_whole:
            # The caller went away, or was too slow: nobody hears the answer, and nothing about the body is wrong.
            raise HTTPException(408)
        self._is_whole = not message.get("more_body", False)
        size = len(message.get("body", b""))
        self._left_bytes -= size
        self._declared_bytes -= size
        if self._left_bytes < 0:
            raise HTTPException(413)
        return message


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0

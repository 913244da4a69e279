"""Answers HEAD as GET without the body, on every route that answers GET. Source: RFC 9110, section 9.3.2."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


async def answer_head(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Let `app` serve a GET, and send the head of its answer as a whole answer.

    The server then reports a disconnect to `app`, as after every answer, which ends a stream.
    """
    as_get = {**scope, "method": "GET"}

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body"})

    try:
        await app(as_get, receive, send_head)
    finally:
        if "route" in as_get:
            scope["route"] = as_get["route"]

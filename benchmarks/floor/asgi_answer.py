"""A bare ASGI answer: `uvicorn benchmarks.floor.asgi_answer:app`."""

from typing import Any

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}
BODY = {"type": "http.response.body", "body": b'{"status":"written"}'}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Read the request and answer."""
    if scope["type"] == "http":
        while (await receive()).get("more_body"):
            pass
        await send(START)
        await send(BODY)

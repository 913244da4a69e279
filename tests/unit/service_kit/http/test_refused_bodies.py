"""A body that is refused is not kept."""

import gc

import httpx
import pytest
from fastapi import Body, FastAPI

from vestibule.service_kit.http import app as module

MIB = 1024 * 1024


@pytest.mark.parametrize("body", [b"[" * MIB, b'{"a' + b"x" * MIB, b'{"a": "' + b"x" * MIB + b'"}'])
async def test_memory_is_free_again_without_a_collection(body: bytes) -> None:
    """Collections are rare: some hundred bodies of 4 MiB would take gigabytes."""
    app = FastAPI()

    async def nothing(_error: object) -> None:
        """Report nothing."""

    module._render_errors(app, nothing, 4 * MIB)

    @app.post("/add")
    async def add(text: str = Body()) -> None:
        """Take a text."""

    @app.middleware("http")
    async def number(request, call_next):  # type: ignore[no-untyped-def]
        request.state.request_id = "1"
        return await call_next(request)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a") as client:
        gc.collect()
        gc.disable()
        earlier = {id(one) for one in gc.get_objects() if isinstance(one, RecursionError | ValueError)}
        try:
            for _ in range(3):
                response = await client.post("/add", content=body, headers={"Content-Type": "application/json"})
                assert 422 == response.status_code
            del response
            errors = [one for one in gc.get_objects() if isinstance(one, RecursionError | ValueError)]
            kept = [one for one in errors if id(one) not in earlier]
        finally:
            gc.enable()
    assert [] == [one for one in kept if one.__traceback__ is not None]

"""What the tests of the client library share: a server that follows a script, and both clients of it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from servers.scripted import Script, scripted_server
from vestibule.client import AsyncClient, Client, Retry

TOKEN = "vst_T0kenMarker9f3"
QUICK = Retry(attempts=4, first_pause_s=0.001, longest_pause_s=0.01)


@pytest.fixture(scope="module")
def script() -> Iterator[Script]:
    """A server that follows a script."""
    with scripted_server() as script:
        yield script


@pytest.fixture
def token() -> str:
    """The token of the clients."""
    return TOKEN


async def done(value: Any) -> Any:
    return await value if isinstance(value, Awaitable) else value


@pytest.fixture(params=[Client, AsyncClient], ids=lambda kind: kind.__name__)
def ask(request: pytest.FixtureRequest, script: Script) -> Callable[..., Any]:
    """Call a method of a client of each kind, and return what it returns."""

    def ask_one(call: Callable[[Any], Any], url: str = script.url, **options: Any) -> Any:
        async def run() -> Any:
            client = request.param(url, TOKEN, **{"retry": QUICK, **options})
            try:
                return await done(call(client))
            finally:
                await done(client.aclose() if isinstance(client, AsyncClient) else client.close())

        return asyncio.run(run())

    return ask_one

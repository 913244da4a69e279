"""What sealing, policy and fingerprint add to the CPU of an `/add`, and what a receipt adds where a caller prefers one.

    python benchmarks/intake_cost.py [--requests 400] [--rounds 9]

Client and database service run in this one process, joined without a socket, so that CPU time is the work of both and
of nothing else; the store, the logs and the scanner are real. Rounds of the three states alternate: everything on, the
receipt off, all of it off. Prints microseconds of CPU a request and the shares that are added, of the median round and
of the best.
"""

import argparse
import asyncio
import contextlib
import io
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI

from vestibule.client_service import main as client
from vestibule.client_service.screening.screener import Screened, Screener
from vestibule.client_service.settings import ClientSettings
from vestibule.database_service import main as database
from vestibule.database_service.entries.encrypted_store import EncryptedStore
from vestibule.database_service.settings import DatabaseSettings
from vestibule.encryption import create_key_ring
from vestibule.runtime.files import write_private
from vestibule.service_kit.logging.logging_config import configure_logging
from vestibule.service_kit.service_client import ServiceClient, ServiceResponse

VALUE = "the quick brown fox jumps over the lazy dog and on"


async def call(app: FastAPI, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
    """Serve one request by `app` and return status and body."""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
        "raw_path": path.encode(), "query_string": b"", "root_path": "", "scheme": "http",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    status, content = 0, b""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status, content
        status = message.get("status", status)
        content += message.get("body", b"")

    await app(scope, receive, send)
    return status, content


class Switch:
    """Switches the parts in question off and on again, in this process only."""

    def __init__(self) -> None:
        self._all = [
            (Screener, "screen", scan_only),
            (EncryptedStore, "_encrypt", lambda _self, _key, value: value),
        ]
        self._kept = [getattr(owner, name) for owner, name, _ in self._all]

    def turn(self, state: str) -> None:
        """Put everything on, or off what `state` says."""
        for (owner, name, _), kept in zip(self._all, self._kept, strict=True):
            setattr(owner, name, kept)
        for owner, name, plain in self._all if state == "off" else ():
            setattr(owner, name, plain)


async def scan_only(self: Screener, situation: Any, field: str, text: str) -> Screened:
    """Scan key and text as the screener does, and do nothing else."""
    self.scanner.scan(situation.key)
    self.scanner.scan(text, key=situation.key)
    return Screened(text, {"findings": [], "would_have": None, "decision_id": "0" * 16})


@contextlib.asynccontextmanager
async def running(home: Path) -> AsyncIterator[FastAPI]:
    """Run both services in this process and yield the client service."""
    write_private(home / "keys" / "service_secret", b"s" * 43)
    create_key_ring(home / "keys" / "keyring.json")
    settings = ClientSettings(data_dir=home, embedded=True, redis_url=f"unix://{home}/none.sock")
    configure_logging("benchmark", settings, io.StringIO())
    client_service, store = (
        client.create_app(settings),
        database.create_app(DatabaseSettings(data_dir=home, embedded=True)),
    )

    async def hop(
        self: ServiceClient,
        method: str,
        path: str,
        *,
        query: Any = None,
        body: Any = None,
        headers: Any = None,
        **_rest: Any,
    ) -> ServiceResponse:
        sent = {"Content-Type": "application/json", **self._headers(headers or {})}
        status, content = await call(store, method, path, sent, orjson.dumps(body))
        return ServiceResponse(status, orjson.loads(content))

    ServiceClient.call = hop  # type: ignore[method-assign]
    async with store.router.lifespan_context(store), client_service.router.lifespan_context(client_service):
        yield client_service


async def cost_us(app: FastAPI, requests: int, state: str = "on") -> float:
    """Return the CPU time of one `/add`, in microseconds."""
    headers = {"Authorization": "Bearer SECRET_TOKEN", "Content-Type": "application/json"}
    if state == "receipt":
        headers["Prefer"] = "receipt"
    began = time.process_time()
    for number in range(requests):
        body = orjson.dumps({"key": f"bench-{number}", "value": f"{VALUE} {number}"})
        status, content = await call(app, "POST", "/add", headers, body)
        if status != 200:
            raise RuntimeError(f"{status}: {content!r}")
    return (time.process_time() - began) / requests * 1e6


async def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--requests", type=int, default=400)
    ask.add_argument("--rounds", type=int, default=9)
    given = ask.parse_args()
    costs: dict[str, list[float]] = {"receipt": [], "on": [], "off": []}
    switch = Switch()
    with tempfile.TemporaryDirectory() as home:
        async with running(Path(home)) as app:
            await cost_us(app, given.requests)
            for _ in range(given.rounds):
                for state, rounds in costs.items():
                    switch.turn(state)
                    rounds.append(await cost_us(app, given.requests, state))
    for name, choose in (("median", statistics.median), ("best", min)):
        signed, on, off = (choose(rounds) for rounds in costs.values())
        print(f"{name:6}  with receipt {signed:.0f} us, on {on:.0f} us, off {off:.0f} us")
        care, receipt = on / off - 1, (signed - on) / off
        print(f"        sealing, policy and fingerprint add {care:.1%}, the receipt {receipt:.1%}")


if __name__ == "__main__":
    asyncio.run(main())

"""What fast dispatch saves: the CPU of the client service for an `/add` and a `/run`, with and without it by turns.

    python -m benchmarks.fast_dispatch [--requests 300] [--rounds 15]

One client application runs in this process, with real scanner, policy, receipts and log. The calls to the database
service are answered at once, without a socket, so that CPU time is the client's alone. Both ways share the application;
one of them lacks the middleware `FastDispatch`. Prints the median and the best round in microseconds of CPU a request,
and the ratio within a round as median (least-most).
"""

import argparse
import asyncio
import contextlib
import copy
import io
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
from benchmarks.intake_cost import VALUE, call
from fastapi import FastAPI

from vestibule.cli.embedded.redis_server import find_redis_program
from vestibule.client_service.main import create_app
from vestibule.client_service.settings import ClientSettings
from vestibule.encryption import create_key_ring
from vestibule.runtime.files import write_private
from vestibule.service_kit.fast_dispatch.fast_dispatch import FastDispatch
from vestibule.service_kit.logging.logging_config import configure_logging
from vestibule.service_kit.service_client import ServiceClient, ServiceResponse

Body = Callable[[int], dict[str, str]]
ROUTES: dict[str, Body] = {
    "/add": lambda number: {"key": f"bench-{number}", "value": f"{VALUE} {number}"},
    "/run": lambda number: {"key": f"bench-{number}"},
}
HEADERS = {"Authorization": "Bearer SECRET_TOKEN", "Content-Type": "application/json"}


async def answer(_client: ServiceClient, _method: str, path: str, *, body: Any = None, **_rest: Any) -> ServiceResponse:
    """Answer as the database service does."""
    if path == "/write":
        return ServiceResponse(200, {"key": body["key"], "version": 1})
    tasks = [{"task_id": task["task_id"], "data": VALUE} for task in body["tasks"]] if path == "/tasks/accept" else []
    return ServiceResponse(200, {"tasks": tasks, "taken": []})


@contextlib.asynccontextmanager
async def running(home: Path) -> AsyncIterator[tuple[FastAPI, FastAPI]]:
    """Yield one client application twice: with fast dispatch, and without."""
    write_private(home / "keys" / "service_secret", b"s" * 43)
    create_key_ring(home / "keys" / "keyring.json")
    redis = subprocess.Popen(  # noqa: ASYNC220 - started once, before anything is measured
        [find_redis_program(), "--port", "0", "--unixsocket", f"{home}/r.sock", "--dir", str(home), "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    try:
        settings = ClientSettings(
            data_dir=home, embedded=True, redis_url=f"unix://{home}/r.sock", business_logic_url="", load_shed_after_s=0
        )
        configure_logging("benchmark", settings, io.StringIO())
        ServiceClient.call = answer  # type: ignore[method-assign]
        fast = create_app(settings)
        without = copy.copy(fast)
        without.user_middleware = [one for one in fast.user_middleware if one.cls is not FastDispatch]
        async with fast.router.lifespan_context(fast):
            yield fast, without
    finally:
        redis.terminate()
        redis.wait()


async def cost_us(app: FastAPI, path: str, requests: int) -> float:
    """Return the CPU time of one request, in microseconds."""
    bodies = [orjson.dumps(ROUTES[path](number)) for number in range(requests)]
    began = time.process_time()
    for body in bodies:
        status, content = await call(app, "POST", path, HEADERS, body)
        if status not in {200, 202}:
            raise RuntimeError(f"{status}: {content!r}")
    return (time.process_time() - began) / requests * 1e6


async def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--requests", type=int, default=300)
    ask.add_argument("--rounds", type=int, default=15)
    given = ask.parse_args()
    with tempfile.TemporaryDirectory(prefix="vst-") as home:
        async with running(Path(home)) as (fast, without):
            for path in ROUTES:
                await cost_us(fast, path, given.requests)
                await cost_us(without, path, given.requests)
                rounds = [
                    (await cost_us(fast, path, given.requests), await cost_us(without, path, given.requests))
                    for _ in range(given.rounds)
                ]
                _show(path, rounds)


def _show(path: str, rounds: list[tuple[float, float]]) -> None:
    with_it, without = zip(*rounds, strict=True)
    ratios = sorted(one / other for one, other in rounds)
    for name, choose in (("median", statistics.median), ("best", min)):
        print(f"{path}  {name:6}  with fast dispatch {choose(with_it):.0f} us, without {choose(without):.0f} us")
    print(f"{path}  ratio   {statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})")


if __name__ == "__main__":
    asyncio.run(main())

"""Processors of the business logic service run in processes of their own: none keeps a place for longer than it may."""

import asyncio
import time
from collections.abc import Callable

import psutil
import pytest
from httpx import AsyncClient, Response

from vestibule.business_logic_service.processor_pool import PLACES
from vestibule.business_logic_service.settings import BusinessLogicSettings

# A machine can be busy.
LONG_S, LIMIT_S = 60, 1.5
ODD = """
import asyncio, os, time

class Odd:
    name = "odd"
    description = "Does what its text says."
    examples = ()

    def process(self, data):
        if data == "pid":
            return str(os.getpid())
        if data == "loop":
            while True:
                try:
                    time.sleep(60)
                except BaseException:
                    pass
        if data == "die":
            os._exit(3)
        names = {**vars(__import__("builtins")), "CancelledError": asyncio.CancelledError}
        raise names[data]("leonore.wintergarten@firma.de")

PROCESSOR = Odd()
"""


@pytest.fixture
def settings(settings: BusinessLogicSettings) -> BusinessLogicSettings:
    """Settings with a processor that does as it is told."""
    folder = settings.data_dir / "own"
    folder.mkdir()
    (folder / "odd.py").write_text(ODD)
    return settings.model_copy(update={"processors_dir": folder, "task_time_limit_s": LONG_S})


async def _process(client: AsyncClient, data: str, token_id: str = "one") -> Response:
    limit = {"time_limit_s": LIMIT_S} if data == "loop" else {}
    work = {"data": data, "processor": "odd", "origin": {"token_id": token_id}, **limit}
    return await client.post("/process", json=work)


async def test_a_processor_that_does_not_end_is_ended(client: AsyncClient, wait_until: Callable[..., None]) -> None:
    """The caller hears so after the time limit, and the process is gone."""
    pid = int((await _process(client, "pid")).json()["processed_data"])
    began = time.monotonic()
    stuck = await _process(client, "loop")
    assert LIMIT_S <= time.monotonic() - began < LONG_S
    assert (422, "TimeLimitExceeded") == (stuck.status_code, stuck.json()["kind"])
    await asyncio.to_thread(wait_until, lambda: not psutil.pid_exists(pid), what="the end of the process")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("ValueError", "TaskFailed"),
        ("StopIteration", "TaskFailed"),
        ("MemoryError", "TaskFailed"),
        ("SystemExit", "ProcessorExited"),
        ("KeyboardInterrupt", "ProcessorExited"),
        ("CancelledError", "ProcessorExited"),
        ("TimeoutError", None),
        ("die", None),
    ],
)
async def test_an_error_is_answered_as_a_task_would_end(client: AsyncClient, error: str, kind: str | None) -> None:
    """What would fail again is a 422 that names the kind, what may pass is a 503; its text is not shown."""
    answer = await _process(client, error)
    assert (422 if kind else 503, kind) == (answer.status_code, answer.json().get("kind"))
    assert "firma" not in answer.text
    assert 200 == (await _process(client, "pid")).status_code


async def test_one_token_does_not_take_all_places(client: AsyncClient) -> None:
    """What it has no place for is refused soon and can be repeated; another token is served meanwhile."""
    stuck = [asyncio.create_task(_process(client, "loop")) for _ in range(PLACES)]
    assert 200 == (await _process(client, "pid", token_id="another")).status_code
    answers = await asyncio.gather(*stuck)
    assert [422] * (PLACES // 2) + [503] * (PLACES // 2) == sorted(answer.status_code for answer in answers)
    assert {"1"} == {answer.headers["Retry-After"] for answer in answers if answer.status_code == 503}


async def test_a_pool_without_a_free_place_says_so(client: AsyncClient, wait_until: Callable[..., None]) -> None:
    """Whoever comes then is refused at once, and the service is degraded until a place becomes free."""
    stuck = [asyncio.create_task(_process(client, "loop", token_id=str(number % 4))) for number in range(PLACES)]
    loop = asyncio.get_running_loop()

    def notes() -> list[str]:
        return asyncio.run_coroutine_threadsafe(client.get("/health"), loop).result().json()["notes"]

    await asyncio.to_thread(wait_until, notes, what="the note")
    assert ["saturated: every process is busy with work that takes long"] == (await client.get("/health")).json()[
        "notes"
    ]
    began = time.monotonic()
    refused = await _process(client, "pid", token_id="another")
    assert (503, "1") == (refused.status_code, refused.headers["Retry-After"])
    assert time.monotonic() - began < 0.5
    await asyncio.gather(*stuck)
    assert ("ok", 200) == ((await client.get("/readyz")).json()["status"], (await _process(client, "pid")).status_code)

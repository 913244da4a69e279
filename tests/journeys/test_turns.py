"""The tasks of one tenant hold up those of no other, with real workers."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from vestibule.contracts.task_ledger import NewTask
from vestibule.database_client.tasks import TaskLedgerClient
from vestibule.database_client.transport import DatabaseTransport
from vestibule.service_kit.auth.service_secret import ServiceSecret
from vestibule.service_kit.auth.token_file import create_token
from vestibule.service_kit.service_client import ServiceClient

FLOOD, BESIDE = 2_000, 4
SLOW = """
import time

class Slow:
    name, description, examples = 'slow', 'Takes its time.', ()

    def process(self, data):
        time.sleep(0.05)
        return data

PROCESSOR = Slow()
"""


async def flood(system: Any) -> None:
    """Record tasks of a tenant; the relay sends them."""
    secret = ServiceSecret.read(system.data_dir / "keys" / "service_secret")
    async with ServiceClient("database", system.part_url(1), secret, 30) as peer:
        ledger = TaskLedgerClient(DatabaseTransport(peer))
        task = {"tenant": "flood", "processor": "slow", "data": "much", "submitted_at": time.time(), "due_in_s": 0}
        await asyncio.gather(*(ledger.accept(NewTask(task_id=str(uuid4()), **task)) for _ in range(FLOOD)))


@pytest.mark.slow
def test_a_task_starts_although_thousands_of_another_tenant_wait(
    start: Any, wait_until: Callable[..., Any], tmp_path: Path
) -> None:
    """So does one of low priority, beside others of high; each tenant's own priorities hold."""
    (tmp_path / "slow.py").write_text(SLOW)
    system = start(VESTIBULE_PROCESSORS_DIR=str(tmp_path)).ask_again()
    tokens = system.data_dir / "keys" / "tokens.json"
    flooding, beside = (system.client(create_token(tokens, name, ["*"], None, name)[0]) for name in ("flood", "beside"))
    wait_until(lambda: {200} == {http.get("/tasks/counts").status_code for http in (flooding, beside)}, what="tokens")
    asyncio.run(flood(system))
    wait_until(lambda: flooding.get("/tasks/counts").json()["states"]["succeeded"] > 10, what="the first tasks")
    for priority in ("normal", "low", "high"):
        for _ in range(BESIDE):
            answer = beside.post("/messages", json={"text": "hello", "priority": priority})
            task = beside.get(answer.json()["status_url"], params={"wait": 10}).json()
            assert "succeeded" == task["state"], task
    assert flooding.get("/tasks/counts").json()["states"]["queued"] > FLOOD // 2
    urgent = flooding.post("/messages", json={"text": "hello", "priority": "high"}).json()["status_url"]
    assert "succeeded" == flooding.get(urgent, params={"wait": 10}).json()["state"]
    assert flooding.get("/tasks/counts").json()["states"]["queued"] > FLOOD // 3

"""Messages between the processes of a service: each other one that serves gets them, and whoever asks knows when."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial

import pytest

from vestibule.service_kit.processes.siblings import Mailbox, Siblings, as_handler
from vestibule.service_kit.processes.table import ProcessTable


class Service:
    """Three processes of a service, all of them in this one."""

    def __init__(self) -> None:
        self.table = ProcessTable(3)
        mailboxes = [Mailbox() for _ in range(3)]
        self.processes = [Siblings(number, mailboxes, self.table) for number in range(3)]
        self.heard: list[tuple[int, str]] = []
        for number, process in enumerate(self.processes):
            self.table.beat(number)
            process.on("news", as_handler(partial(self._hear, number)))

    def _hear(self, number: int, text: str) -> None:
        self.heard.append((number, text))

    async def run(self, stack: AsyncExitStack) -> None:
        for process in self.processes:
            await stack.enter_async_context(process.running())


async def test_who_asks_knows_when_all_have_handled_it() -> None:
    """Each other process has the text when the question is answered; the one that asks does not get it."""
    service = Service()
    async with AsyncExitStack() as stack:
        await service.run(stack)
        assert await service.processes[1].ask("news", "text")
        assert [(0, "text"), (2, "text")] == sorted(service.heard)


async def test_a_message_reaches_each_other_process() -> None:
    """It is sent before the question that follows it, and handled before that."""
    service = Service()
    async with AsyncExitStack() as stack:
        await service.run(stack)
        service.processes[0].tell("news", "first")
        await service.processes[0].ask("other")
        assert [(1, "first"), (2, "first")] == sorted(service.heard)


async def test_who_does_not_serve_is_not_waited_for() -> None:
    """A process that has left is not asked, and one that does not answer is waited for no longer than was said."""
    service = Service()
    async with AsyncExitStack() as stack:
        for number in (0, 1):
            await stack.enter_async_context(service.processes[number].running())
        assert not await service.processes[0].ask("news", "text", timeout_s=0.05)
        service.table.leave(2)
        assert await service.processes[0].ask("news", "text", timeout_s=30)


async def test_a_handler_that_fails_is_answered_for() -> None:
    """Who asks goes on, and so does the process whose handler failed."""
    service = Service()

    async def fail(_text: str) -> None:
        raise ValueError

    async with AsyncExitStack() as stack:
        await service.run(stack)
        service.processes[0].on("news", fail)
        assert await service.processes[1].ask("news", timeout_s=30)
        assert await service.processes[1].ask("news", timeout_s=30)


async def test_messages_to_the_process_before_are_not_for_its_successor() -> None:
    """What lies in the mailbox when a process begins is dropped."""
    service = Service()
    service.processes[0].tell("news", "old")
    async with AsyncExitStack() as stack:
        await service.run(stack)
        await service.processes[0].ask("news", "new")
        assert [(1, "new"), (2, "new")] == sorted(service.heard)


async def test_a_process_alone_has_nobody_to_ask() -> None:
    """Without others nothing is sent, and a question is answered at once."""
    alone = Siblings()
    async with alone.running():
        alone.tell("news")
        assert await alone.ask("news", timeout_s=0)
    assert not alone.are_there


@pytest.mark.parametrize("count", [1, 4])
def test_a_table_says_who_serves(count: int) -> None:
    """A process serves from its first beat until it leaves; its successor begins with an empty row."""
    table = ProcessTable(count)
    assert [f"process {number}" for number in range(1, count + 1)] == table.missing()
    for number in range(count):
        table.note_built(number)
        table.beat(number)
        table.count_closed(number)
    assert [] == table.missing()
    table.leave(0)
    assert (["process 1"], 1, True) == (table.missing(), table.closed(0), table.is_built(0))
    table.clear(0)
    assert (0, False) == (table.closed(0), table.is_built(0))


def test_a_table_says_when_all_have_noticed_the_shutdown() -> None:
    """Each process that serves has to say so; one that does not serve is not waited for."""
    table = ProcessTable(3)
    table.beat(0)
    table.beat(1)
    table.note_draining(0)
    assert not table.are_draining()
    table.note_draining(1)
    assert table.are_draining()


def test_a_process_that_does_not_go_on_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some seconds after its last beat it no longer counts."""
    table = ProcessTable(2)
    monkeypatch.setattr("vestibule.service_kit.processes.table.STALE_AFTER_S", 0.0)
    table.beat(0)
    assert ["process 1", "process 2"] == table.missing()


async def test_messages_are_handled_at_the_same_time() -> None:
    """A handler that waits keeps no other from being handled."""
    service = Service()
    is_released = asyncio.Event()

    async def wait(_text: str) -> None:
        await is_released.wait()

    async with AsyncExitStack() as stack:
        await service.run(stack)
        for process in service.processes:
            process.on("slow", wait)
        slow = asyncio.create_task(service.processes[0].ask("slow", timeout_s=30))
        assert await service.processes[0].ask("news", timeout_s=30)
        is_released.set()
        assert await slow

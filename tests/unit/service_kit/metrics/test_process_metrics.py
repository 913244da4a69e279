"""Any process of a service answers for all: each count once, none lost with a process."""

from contextlib import AsyncExitStack
from pathlib import Path

from vestibule.service_kit.metrics.catalogue import BUILD_INFO, QUEUE_OLDEST_AGE, SPANS_LOST
from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.metrics.process_metrics import sharing_metrics
from vestibule.service_kit.metrics.sharing import read_shared
from vestibule.service_kit.processes.siblings import Mailbox, Siblings
from vestibule.service_kit.processes.table import ProcessTable


class Process:
    """One process of a service with two, with the metrics that it counts."""

    def __init__(self, number: int, mailboxes: list[Mailbox], table: ProcessTable) -> None:
        self.metrics = Metrics("client")
        self.siblings = Siblings(number, mailboxes, table)
        table.beat(number)

    async def run(self, folder: Path, stack: AsyncExitStack) -> None:
        await stack.enter_async_context(self.siblings.running())
        await stack.enter_async_context(sharing_metrics(self.metrics, folder, self.siblings))

    async def lines(self, name: str) -> list[str]:
        await self.metrics.refresh()
        return [line for line in self.metrics.render().decode().splitlines() if line.startswith(f"{name}{{")]


def two_processes() -> list[Process]:
    mailboxes, table = [Mailbox(), Mailbox()], ProcessTable(2)
    return [Process(number, mailboxes, table) for number in range(2)]


async def test_each_process_shows_what_both_have_counted(tmp_path: Path) -> None:
    """Counts of the moment before are there, whichever is asked, and no gauge of the system is added up."""
    first, second = two_processes()
    async with AsyncExitStack() as stack:
        for process in (first, second):
            await process.run(tmp_path, stack)
        for total in range(1, 4):
            for process in (first, second):
                process.metrics.count(SPANS_LOST)
            for process in (first, second):
                assert [f'vestibule_spans_lost_total{{service="client"}} {2 * total}.0'] == await process.lines(
                    SPANS_LOST.name
                )
        assert 1 == len(await first.lines(BUILD_INFO.name))


async def test_what_a_process_has_said_stays_after_its_end(tmp_path: Path) -> None:
    """The successor of a process goes on from its counts; gauges about the system are those of who answers."""
    first, second = two_processes()
    second.metrics.set(QUEUE_OLDEST_AGE, 900)
    async with AsyncExitStack() as stack:
        await first.run(tmp_path, stack)
        async with AsyncExitStack() as life:
            await second.run(tmp_path, life)
            second.metrics.count(SPANS_LOST, by=5)
            first.metrics.set(QUEUE_OLDEST_AGE, 3)
            told = await first.lines(SPANS_LOST.name)
            assert [f'{QUEUE_OLDEST_AGE.name}{{service="client"}} 3.0'] == await first.lines(QUEUE_OLDEST_AGE.name)
        assert told == await first.lines(SPANS_LOST.name)
        third = two_processes()[1]
        third.metrics.count(SPANS_LOST)
        async with AsyncExitStack() as life:
            await third.run(tmp_path, life)
            assert ['vestibule_spans_lost_total{service="client"} 6.0'] == await third.lines(SPANS_LOST.name)
        # The third process has taken the slot of the second.
        assert 2 == len(list(read_shared(tmp_path)))


async def test_a_process_alone_shares_nothing(tmp_path: Path) -> None:
    """A service of one process writes no file."""
    metrics = Metrics("client")
    async with sharing_metrics(metrics, tmp_path / "none", Siblings()):
        metrics.count(SPANS_LOST)
        await metrics.refresh()
        assert b"vestibule_spans_lost_total" in metrics.render()
    assert not (tmp_path / "none").exists()


async def test_what_cannot_be_written_is_shown_all_the_same(tmp_path: Path) -> None:
    """On a full disk a process shows its own counts as they are."""
    folder = tmp_path / "file"
    folder.write_text("no folder")
    (process, _) = two_processes()
    async with AsyncExitStack() as stack:
        await process.run(folder, stack)
        for total in (1, 2):
            process.metrics.count(SPANS_LOST)
            assert [f'vestibule_spans_lost_total{{service="client"}} {total}.0'] == await process.lines(SPANS_LOST.name)

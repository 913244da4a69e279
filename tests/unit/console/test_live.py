"""The live view: what its stream says, and that it ends with whoever reads it."""

import asyncio
import math
import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import pytest

from vestibule.client.results.decisions import Decision, MissedDecisions, SampledDecisions
from vestibule.console.views import live
from vestibule.console.views.live import DecisionEvent, EventStream, LiveRows
from vestibule.contracts.errors import InvalidToken, ScopeMissing, VestibuleError

DECISION = Decision(time=datetime.now(UTC), decision_id="d1", route="/add", policy="p", detectors="d")


class Source:
    """Decisions as a test gives them; it knows when it was closed."""

    def __init__(self, *given: DecisionEvent | VestibuleError, is_endless: bool = True) -> None:
        self.is_closed = False
        self._given = given
        self._is_endless = is_endless

    async def stream(self) -> AsyncGenerator[DecisionEvent, None]:
        """Yield or raise what was given, and then wait."""
        try:
            for one in self._given:
                if isinstance(one, VestibuleError):
                    raise one
                yield one
            if self._is_endless:
                await asyncio.Event().wait()
        finally:
            self.is_closed = True


def _render(decisions: list[Decision]) -> str:
    return "".join(f"<tr>\n\n<td>{one.decision_id}</td></tr>" for one in decisions)


async def _told(source: Source, until: float = math.inf) -> str:
    rows = LiveRows(source.stream(), _render, until)
    return b"".join([one async for one in rows.events()]).decode()


async def test_rows_have_no_line_that_would_end_their_event() -> None:
    """An empty line ends an event, wherever the template has one."""
    said = await _told(Source(DECISION, is_endless=False))
    assert "data: <tr>\ndata: <td>d1</td></tr>\n\n" in said


async def test_it_says_how_many_there_were_and_what_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second with more than it shows, one that was lost, and then all again."""
    monkeypatch.setattr(live, "TICK_S", 0.01)
    monkeypatch.setattr(live, "ALL_AFTER_S", 0.05)
    source = Source(SampledDecisions(left_out=998), MissedDecisions(missed=1200))
    events = LiveRows(source.stream(), _render, math.inf).events()
    said = [await anext(events) for _ in range(20)]
    await events.aclose()
    texts = [one.decode() for one in said if one.startswith(b"event: said")]
    assert live.ALL_SHOWN in texts[0]
    assert "Showing 5 of 1,003 a second." in texts[1]
    assert "1,200 decisions were lost" in texts[2]
    assert live.ALL_SHOWN in texts[3]
    assert source.is_closed


@pytest.mark.parametrize(
    ("error", "said"),
    [(InvalidToken("x"), live.SESSION_OVER), (ScopeMissing("It needs decisions."), "has stopped: It needs decisions.")],
)
async def test_what_cannot_go_on_says_why_and_does_not_come_back(error: VestibuleError, said: str) -> None:
    """The browser does not connect again after `ended`."""
    source = Source(error)
    told = await _told(source)
    assert said in told
    assert told.rstrip().split("\n\n")[-1].startswith("event: ended")
    assert source.is_closed


async def test_it_ends_with_the_session() -> None:
    """A page that stays open shows nothing more than a new one would."""
    source = Source(DECISION)
    told = await _told(source, until=time.time() - 1)
    assert live.SESSION_OVER in told
    assert "d1" not in told
    assert source.is_closed


async def _never(_message: object) -> None:
    await asyncio.Event().wait()


async def test_a_slow_browser_frees_the_stream() -> None:
    """One that takes nothing for a while is left."""
    source = Source(*[DECISION] * 10)
    response = EventStream(LiveRows(source.stream(), _render, math.inf).events(), slow_s=0.05)
    taken: list[object] = []

    async def take_two(message: object) -> None:
        taken.append(message)
        if len(taken) > 3:
            await _never(message)

    await response.stream_response(take_two)
    assert source.is_closed
    assert len(taken) >= 3


@pytest.mark.parametrize("is_reading", [True, False])
async def test_a_browser_that_is_gone_frees_the_stream_at_once(*, is_reading: bool) -> None:
    """Whether the answer waits for a decision or for the browser."""
    source = Source(DECISION)
    response = EventStream(LiveRows(source.stream(), _render, math.inf).events())
    taken: list[object] = []
    is_underway = asyncio.Event()

    async def take(message: object) -> None:
        taken.append(message)
        if len(taken) > 2:
            is_underway.set()
        if not is_reading and len(taken) > 2:
            await _never(message)

    answering = asyncio.create_task(response.stream_response(take))
    async with asyncio.timeout(5):
        await is_underway.wait()
    answering.cancel()
    await asyncio.wait({answering}, timeout=1)
    assert answering.done()
    assert source.is_closed

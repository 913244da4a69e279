"""Messages that are answered at once: what a caller gets where the answer is late, or too large for its key."""

from typing import Any

import pytest

from vestibule.client_service.intake.intake import Intake, MessageOutcome
from vestibule.client_service.intake.message_routing import MessageRoute, MessageRoutes
from vestibule.client_service.intake.requests import Message
from vestibule.client_service.intake.work import Work
from vestibule.client_service.screening.screener import Screened
from vestibule.contracts.entries import MAX_VALUE_BYTES, Pair
from vestibule.contracts.errors import NotProcessable, Unavailable
from vestibule.policy import Situation
from vestibule.processing import ProcessorRegistry


class _World:
    """All that an intake speaks to: lets everything through, keeps what it is given, and answers as it is told."""

    def __init__(self, reply: str | None) -> None:
        self.reply = reply
        self.asked: list[str] = []
        self.accepted: list[Work] = []
        self.written: list[Pair] = []

    async def admit(self, _situation: Situation, _field: str, text: str, _options: str | None = None) -> Screened:
        return Screened(text, [], "")

    async def let_out(self, _situation: Situation, result: str) -> Screened:
        return Screened(result, [], "")

    async def process(self, _text: str, _processor: str, _terms: Any, work_id: str) -> str:
        self.asked.append(work_id)
        if self.reply is None:
            raise Unavailable("business_logic", "It does not answer.")
        return self.reply

    async def accept(self, work: Work) -> str:
        self.accepted.append(work)
        return str(work.task_id)

    async def write(self, pair: Pair, *, operation: str | None = None) -> None:
        self.written.append(pair)


async def _take(world: Any, **message: Any) -> MessageOutcome:
    rules = [MessageRoute.model_validate({"to": "business_logic", "prefixes": ["now:"]})]
    known = ProcessorRegistry.discover()
    routes = MessageRoutes(rules, known.names)
    intake = Intake(world, world, world, world, known, names=world, routes=routes, callbacks=world)
    return await intake.take_message(Message(**message), Situation("/messages"))


async def test_what_a_rule_sends_there_is_done_in_the_background_where_nobody_answers() -> None:
    """It may have been done all the same, so it goes on under the same id."""
    world = _World(reply=None)
    taken = await _take(world, text="now: hi")
    assert (False, world.asked) == (taken.is_reply, [work.task_id for work in world.accepted])
    with pytest.raises(Unavailable):
        await _take(world, text="now: hi", mode="sync")
    assert 1 == len(world.accepted)


async def test_a_reply_is_written_before_it_is_given() -> None:
    """Under the key that was asked for."""
    world = _World(reply="HI")
    taken = await _take(world, text="now: hi", write_to="reply")
    assert (True, "HI", [Pair(key="reply", value="HI")]) == (taken.is_reply, taken.outcome, world.written)


async def test_a_reply_that_is_too_large_for_its_key_is_refused() -> None:
    """As it would be in the background."""
    world = _World(reply="x" * (MAX_VALUE_BYTES + 1))
    with pytest.raises(NotProcessable):
        await _take(world, text="now: hi", write_to="reply")
    assert [] == world.written

"""Replays a draft against recorded decisions, page by page, and rests between pages as long as each took."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from vestibule.contracts.decisions import DecisionFilter, DecisionPage
from vestibule.policy import Policy
from vestibule.policy.evaluation import Replay, replay_one

# Decisions of one replay, and the time that it may take.
MAX_REPLAYED = 20_000
LONGEST_S = 20.0
# Few enough that reading and deciding them holds up other requests for some milliseconds.
PAGE = 100
ReadPage = Callable[[DecisionFilter, int, str | None], Awaitable[DecisionPage]]


@dataclass(slots=True)
class RecordedReplay:
    """The outcome, how many decisions were examined, and the time of the oldest; there may be more before it."""

    result: Replay
    examined: int = 0
    oldest: datetime | None = None
    is_complete: bool = False


async def replay_recorded(read: ReadPage, policy: Policy, tenant: str | None, since: datetime) -> RecordedReplay:
    """Decide the newest recorded decisions of a tenant again, back to `since` or a bound; None means all tenants."""
    replayed = RecordedReplay(Replay())
    wanted = DecisionFilter.model_construct(tenant=tenant, since=since)
    ends_at = time.monotonic() + LONGEST_S
    cursor: str | None = None
    while replayed.examined < MAX_REPLAYED and time.monotonic() < ends_at:
        began = time.monotonic()
        page = await read(wanted, PAGE, cursor)
        for record in page.decisions:
            replay_one(replayed.result, record, policy, {})
            replayed.oldest = record.time
        replayed.examined += len(page.decisions)
        cursor = page.cursor
        if cursor is None:
            replayed.is_complete = True
            break
        await asyncio.sleep(time.monotonic() - began)
    return replayed

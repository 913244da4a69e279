"""The chronicle: how many probes of each part were answered, minute by minute for a day, hour by hour for a month.

It is kept in pages, one entry of the store each: an hour of minutes, and a day of hours. What was counted since the
last write is kept apart, and added to what the store has, so that nothing is lost while the store is away, and nothing
counts twice when it is back. A page goes when its time has passed, so the chronicle does not grow.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson

HOUR, DAY, MONTH = timedelta(hours=1), timedelta(days=1), timedelta(days=30)


@dataclass(slots=True)
class ProbeCounts:
    """What was counted of one part in one slot of time. Probes in a maintenance window are counted apart."""

    answered: int = 0
    asked: int = 0
    latency_ms: float = 0
    planned: int = 0

    def add(self, other: "ProbeCounts") -> None:
        """Add what `other` counted."""
        self.answered += other.answered
        self.asked += other.asked
        self.latency_ms += other.latency_ms
        self.planned += other.planned

    @property
    def availability(self) -> float | None:
        """The share of probes that were answered, from 0 to 1; None without any."""
        return self.answered / self.asked if self.asked else None


Slots = dict[str, dict[int, ProbeCounts]]
Pages = dict[str, Slots]


@dataclass(frozen=True, slots=True)
class Scale:
    """One of the two scales: how pages are named, how long a slot and a page are, and how long pages are kept."""

    prefix: str
    page_format: str
    slot: timedelta
    page: timedelta
    keep: timedelta

    def page_of(self, at: datetime) -> str:
        """Return the name of the page that has `at`."""
        return self.prefix + at.strftime(self.page_format)

    def slot_of(self, at: datetime) -> int:
        """Return the number of the slot that has `at`, within its page."""
        return at.minute if self.slot < HOUR else at.hour

    def begin_of(self, at: datetime) -> datetime:
        """Return when the page begins that has `at`."""
        hour = at.replace(minute=0, second=0, microsecond=0)
        return hour if self.page == HOUR else hour.replace(hour=0)


MINUTES = Scale("minutes/", "%Y-%m-%dT%H", timedelta(minutes=1), HOUR, DAY + HOUR)
HOURS = Scale("hours/", "%Y-%m-%d", HOUR, DAY, MONTH + DAY)
SCALES = (MINUTES, HOURS)


class AvailabilityHistory:
    """Counts probes and says how available parts were."""

    def __init__(self) -> None:
        self._kept: Pages = {}
        self._new: Pages = {}

    def count(self, part: str, at: datetime, tally: ProbeCounts) -> None:
        """Enter what was counted of a part."""
        for scale in SCALES:
            _add(self._new, scale.page_of(at), part, scale.slot_of(at), tally)

    def availability(self, part: str, over: timedelta, now: datetime) -> float | None:
        """Return the share of probes that were answered within `over` before `now`, from 0 to 1; None without any."""
        return self.sum_up(part, now - over, now).availability

    def sum_up(self, part: str, since: datetime, until: datetime) -> ProbeCounts:
        """Return what was counted in the slots that begin after `since` and until `until`; by hours beyond a day."""
        scale = MINUTES if until - since <= DAY else HOURS
        total = ProbeCounts()
        for pages in (self._kept, self._new):
            for begin, tally in _slots(pages, part, scale, since, until):
                if since < begin <= until:
                    total.add(tally)
        return total

    def bars(self, part: str, now: datetime, count: int, width: timedelta) -> list[tuple[datetime, ProbeCounts]]:
        """Return what was counted in each of the last `count` stretches of time of that `width`, the oldest first."""
        bars = [(now - number * width, ProbeCounts()) for number in reversed(range(count))]
        since = now - count * width
        for pages in (self._kept, self._new):
            for begin, tally in _slots(pages, part, MINUTES, since, now):
                if since < begin <= now:
                    bars[-1 - (now - begin) // width][1].add(tally)
        return bars

    def load(self, pages: Mapping[str, str]) -> None:
        """Take the pages that the store has in place of those that were taken before."""
        self._kept = {page: _read(text) for page, text in pages.items()}

    def take_new(self) -> "tuple[dict[str, str], Pages]":
        """Return the pages to write, by name, and what is new in them, to be given to `settle` or to `give_back`."""
        new, self._new = self._new, {}
        return {page: _write(_merged(self._kept.get(page, {}), slots)) for page, slots in new.items()}, new

    def settle(self, new: Pages) -> None:
        """Know that these are in the store."""
        for page, slots in new.items():
            self._kept[page] = _merged(self._kept.get(page, {}), slots)

    def give_back(self, new: Pages) -> None:
        """Keep what could not be written, to be written later."""
        for page, slots in new.items():
            self._new[page] = _merged(slots, self._new.get(page, {}))

    def drop_new(self) -> None:
        """Forget what was not written: another scheduler counts."""
        self._new = {}

    def prune(self, now: datetime) -> None:
        """Forget the pages whose time has passed."""
        wanted = set(page_names(now))
        self._kept = {page: slots for page, slots in self._kept.items() if page in wanted}
        self._new = {page: slots for page, slots in self._new.items() if page in wanted}


def page_names(now: datetime) -> list[str]:
    """Return the names of all pages that are kept."""
    return [
        scale.page_of(now - number * scale.page)
        for scale in SCALES
        for number in range(int(scale.keep / scale.page) + 1)
    ]


def ttl_of(page: str) -> timedelta:
    """Return how long the store has to keep a page that is written now."""
    scale = next(scale for scale in SCALES if page.startswith(scale.prefix))
    return scale.keep + scale.page


def _slots(
    pages: Pages, part: str, scale: Scale, since: datetime, until: datetime
) -> Iterator[tuple[datetime, ProbeCounts]]:
    for number in range(int((until - since) / scale.page) + 2):
        at = until - number * scale.page
        slots = pages.get(scale.page_of(at), {}).get(part)
        if slots:
            begin = scale.begin_of(at)
            yield from ((begin + slot * scale.slot, tally) for slot, tally in slots.items())


def _add(pages: Pages, page: str, part: str, slot: int, tally: ProbeCounts) -> None:
    pages.setdefault(page, {}).setdefault(part, {}).setdefault(slot, ProbeCounts()).add(tally)


def _merged(one: Slots, other: Slots) -> Slots:
    pages: Pages = {}
    for slots in (one, other):
        for part, tallies in slots.items():
            for slot, tally in tallies.items():
                _add(pages, "", part, slot, tally)
    return pages.get("", {})


def _write(slots: Slots) -> str:
    page = {
        part: {str(slot): [t.answered, t.asked, round(t.latency_ms), t.planned] for slot, t in tallies.items()}
        for part, tallies in slots.items()
    }
    return orjson.dumps(page).decode()


def _read(text: str) -> Slots:
    return {
        part: {int(slot): ProbeCounts(*values) for slot, values in slots.items()}
        for part, slots in orjson.loads(text).items()
    }

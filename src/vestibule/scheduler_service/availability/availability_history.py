"""The availability history: answered probes of each part, by the minute for a day and by the hour for a month.

It is stored in pages, one entry each: an hour of minutes, and a day of hours. Counts since the last save are pending:
they are added to the saved ones, so nothing is lost while the store is unavailable, and nothing counts twice later.
Pages expire, so the history does not grow.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
import structlog

HOUR, DAY, MONTH = timedelta(hours=1), timedelta(days=1), timedelta(days=30)


@dataclass(slots=True)
class ProbeCounts:
    """The probes of one part in one time slot. Those in a maintenance window are counted separately."""

    answered: int = 0
    asked: int = 0
    latency_ms: float = 0
    planned: int = 0

    def add(self, other: "ProbeCounts") -> None:
        """Add the counts of `other`."""
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
    """One of the two resolutions: the names of pages, the length of a slot and a page, and how long pages are kept."""

    prefix: str
    page_format: str
    slot: timedelta
    page: timedelta
    keep: timedelta

    def page_of(self, at: datetime) -> str:
        """Return the name of the page that contains `at`."""
        return self.prefix + at.strftime(self.page_format)

    def slot_of(self, at: datetime) -> int:
        """Return the number of the slot that contains `at`, within its page."""
        return at.minute if self.slot < HOUR else at.hour

    def begin_of(self, at: datetime) -> datetime:
        """Return when the page begins that contains `at`."""
        hour = at.replace(minute=0, second=0, microsecond=0)
        return hour if self.page == HOUR else hour.replace(hour=0)


MINUTES = Scale("minutes/", "%Y-%m-%dT%H", timedelta(minutes=1), HOUR, DAY + HOUR)
HOURS = Scale("hours/", "%Y-%m-%d", HOUR, DAY, MONTH + DAY)
SCALES = (MINUTES, HOURS)


class AvailabilityHistory:
    """Counts probes and computes the availability of parts."""

    def __init__(self) -> None:
        self._saved: Pages = {}
        self._pending: Pages = {}

    def count(self, part: str, at: datetime, counts: ProbeCounts) -> None:
        """Add counts of a part."""
        for scale in SCALES:
            _add(self._pending, scale.page_of(at), part, scale.slot_of(at), counts)

    def availability(self, part: str, over: timedelta, now: datetime) -> float | None:
        """Return the share of probes that were answered within `over` before `now`, from 0 to 1; None without any."""
        return self.sum_up(part, now - over, now).availability

    def sum_up(self, part: str, since: datetime, until: datetime) -> ProbeCounts:
        """Return the counts of the slots that begin after `since` and until `until`; by hours beyond a day."""
        scale = MINUTES if until - since <= DAY else HOURS
        total = ProbeCounts()
        for pages in (self._saved, self._pending):
            for begin, counts in _slots(pages, part, scale, since, until):
                if since < begin <= until:
                    total.add(counts)
        return total

    def bars(self, part: str, now: datetime, count: int, width: timedelta) -> list[tuple[datetime, ProbeCounts]]:
        """Return the end and the counts of each of the last `count` intervals of that `width`, the oldest first."""
        bars = [(now - number * width, ProbeCounts()) for number in reversed(range(count))]
        since = now - count * width
        scale = MINUTES if count * width <= DAY else HOURS
        for pages in (self._saved, self._pending):
            for begin, counts in _slots(pages, part, scale, since, now):
                if since < begin <= now:
                    bars[-1 - (now - begin) // width][1].add(counts)
        return bars

    def load(self, pages: Mapping[str, str]) -> None:
        """Replace the saved pages with those of the store."""
        self._saved = {page: _read(text) for page, text in pages.items()}

    def take_pending(self) -> "tuple[dict[str, str], Pages]":
        """Return the pages to save, by name, and their pending counts, for `mark_saved` or `restore_pending`."""
        new, self._pending = self._pending, {}
        return {page: _write(_merged(self._saved.get(page, {}), slots)) for page, slots in new.items()}, new

    def mark_saved(self, new: Pages) -> None:
        """Add these counts to the saved ones: they are in the store."""
        for page, slots in new.items():
            self._saved[page] = _merged(self._saved.get(page, {}), slots)

    def restore_pending(self, new: Pages) -> None:
        """Make these counts pending again: they could not be saved."""
        for page, slots in new.items():
            self._pending[page] = _merged(slots, self._pending.get(page, {}))

    def drop_pending(self) -> None:
        """Drop the pending counts: another scheduler counts."""
        self._pending = {}

    def prune(self, now: datetime) -> None:
        """Drop the pages that have expired."""
        wanted = set(page_names(now))
        self._saved = {page: slots for page, slots in self._saved.items() if page in wanted}
        self._pending = {page: slots for page, slots in self._pending.items() if page in wanted}


def page_names(now: datetime) -> list[str]:
    """Return the names of all pages that have not expired."""
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
            yield from ((begin + slot * scale.slot, counts) for slot, counts in slots.items())


def _add(pages: Pages, page: str, part: str, slot: int, counts: ProbeCounts) -> None:
    pages.setdefault(page, {}).setdefault(part, {}).setdefault(slot, ProbeCounts()).add(counts)


def _merged(one: Slots, other: Slots) -> Slots:
    pages: Pages = {}
    for slots in (one, other):
        for part, slot_counts in slots.items():
            for slot, counts in slot_counts.items():
                _add(pages, "", part, slot, counts)
    return pages.get("", {})


def _write(slots: Slots) -> str:
    page = {
        part: {str(slot): [t.answered, t.asked, round(t.latency_ms), t.planned] for slot, t in slot_counts.items()}
        for part, slot_counts in slots.items()
    }
    return orjson.dumps(page).decode()


def _read(text: str) -> Slots:
    try:
        return {
            part: {int(slot): ProbeCounts(*values) for slot, values in slots.items()}
            for part, slots in orjson.loads(text).items()
        }
    except (ValueError, TypeError, AttributeError):
        structlog.get_logger("vestibule.records").error("record_invalid", kind="AvailabilityPage")
        return {}

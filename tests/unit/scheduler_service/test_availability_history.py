"""The availability history counts exactly, loses nothing while the store is unavailable, and does not grow."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from vestibule.scheduler_service.availability.availability_history import (
    DAY,
    HOUR,
    MONTH,
    AvailabilityHistory,
    ProbeCounts,
    page_names,
)

NOON = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
probes = st.lists(st.tuples(st.integers(0, 60 * 24), st.booleans()), max_size=60)


def _count(history: AvailabilityHistory, at: datetime, has_answered: bool, latency_ms: float = 2) -> None:
    history.count("part", at, ProbeCounts(int(has_answered), 1, latency_ms if has_answered else 0))


@given(probes)
def test_availability_is_the_share_of_answers(some: list[tuple[int, bool]]) -> None:
    """Over an hour and a day, exactly the probes of the minutes of that time count."""
    history = AvailabilityHistory()
    for minutes_ago, has_answered in some:
        _count(history, NOON - timedelta(minutes=minutes_ago), has_answered)
    for over, minutes in ((HOUR, 60), (DAY, 24 * 60)):
        counted = [has_answered for minutes_ago, has_answered in some if minutes_ago < minutes]
        expected = sum(counted) / len(counted) if counted else None
        assert expected == history.availability("part", over, NOON)


@given(probes, st.integers(0, 60), st.integers(0, 60))
def test_it_is_the_same_from_the_store_as_from_memory(some: list[tuple[int, bool]], first: int, second: int) -> None:
    """The sums are the same however much of it is saved, failed to be saved, or is pending."""
    straight, broken, pages = AvailabilityHistory(), AvailabilityHistory(), dict[str, str]()
    for number, (minutes_ago, has_answered) in enumerate(some):
        for history in (straight, broken):
            _count(history, NOON - timedelta(minutes=minutes_ago), has_answered)
        if number == first:
            written, new = broken.take_pending()
            pages |= written
            broken.mark_saved(new)
        if number == second:
            _, new = broken.take_pending()
            _count(straight, NOON, True)
            _count(broken, NOON, True)
            broken.restore_pending(new)
    written, new = broken.take_pending()
    again = AvailabilityHistory()
    again.load(pages | written)
    for over in (HOUR, DAY, MONTH):
        assert straight.sum_up("part", NOON - over, NOON) == again.sum_up("part", NOON - over, NOON)


def test_a_page_that_is_written_twice_counts_once() -> None:
    """Saved counts are not added again when the next minute is saved."""
    history = AvailabilityHistory()
    for minute in range(3):
        _count(history, NOON + timedelta(minutes=minute), minute != 1)
        pages, new = history.take_pending()
        history.mark_saved(new)
    again = AvailabilityHistory()
    again.load(pages)
    assert 2 / 3 == again.availability("part", HOUR, NOON + timedelta(minutes=2))


def test_a_month_is_seen_by_hours() -> None:
    """Probes of a week ago count for the month, and not for the day."""
    history = AvailabilityHistory()
    _count(history, NOON - timedelta(days=7), False)
    _count(history, NOON - timedelta(days=40), False)
    _count(history, NOON, True)
    assert (1.0, 0.5) == tuple(history.availability("part", over, NOON) for over in (DAY, MONTH))


def test_maintenance_does_not_count() -> None:
    """Probes in a window are counted separately, and change no availability."""
    history = AvailabilityHistory()
    history.count("part", NOON, ProbeCounts(planned=5))
    assert history.availability("part", HOUR, NOON) is None
    assert 5 == history.sum_up("part", NOON - HOUR, NOON).planned


def test_it_does_not_grow_without_limit() -> None:
    """After a year without a store, memory holds a day of minutes and a month of hours."""
    history = AvailabilityHistory()
    for hours in range(0, 24 * 365, 6):
        at = NOON + timedelta(hours=hours)
        _count(history, at, True)
        history.prune(at)
    pages, _ = history.take_pending()
    assert set(pages) <= set(page_names(at))
    assert len(page_names(at)) < 64


def test_a_clock_that_was_set_back_loses_nothing() -> None:
    """Counts of an hour that comes again are added to it."""
    history = AvailabilityHistory()
    for at in (NOON, NOON + HOUR, NOON):
        _count(history, at, True)
    assert 2 == history.sum_up("part", NOON - HOUR, NOON).asked


def test_bars_are_the_intervals_up_to_now() -> None:
    """The last bar ends now, and every probe is in one bar."""
    history = AvailabilityHistory()
    for minutes in range(0, 24 * 60, 10):
        _count(history, NOON - timedelta(minutes=minutes), minutes >= 30)
    bars = [tally for _, tally in history.bars("part", NOON, 48, timedelta(minutes=30))]
    assert 24 * 6 == sum(bar.asked for bar in bars)
    assert (0.0, 1.0) == (bars[-1].availability, bars[-2].availability)


def test_bars_of_a_month_are_its_days() -> None:
    """Beyond a day they are summed up from hours; every probe is in one bar."""
    history = AvailabilityHistory()
    for hours in range(30 * 24 - 12):
        _count(history, NOON - timedelta(hours=hours), hours >= 24)
    bars = [tally for _, tally in history.bars("part", NOON, 30, DAY)]
    assert 30 * 24 - 12 == sum(bar.asked for bar in bars)
    assert (0.0, 1.0) == (bars[-1].availability, bars[-2].availability)


def test_a_page_is_small() -> None:
    """A full hour of seven parts is one entry of a few kilobytes."""
    history = AvailabilityHistory()
    for part in range(7):
        for minute in range(60):
            history.count(f"part-{part}", NOON + timedelta(minutes=minute), ProbeCounts(6, 6, 31.4))
    pages, _ = history.take_pending()
    assert max(map(len, pages.values())) < 10_000

"""The state of a part for any sequence of answers."""

from datetime import UTC, datetime, timedelta
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from vestibule.scheduler_service.availability.parts import PartRecord, PartState, StateChange, Thresholds
from vestibule.scheduler_service.availability.probes import ProbeResult

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=10)
answers = st.lists(st.booleans(), max_size=40)
counts = st.integers(1, 5)


def _feed(record: PartRecord, some: list[bool], thresholds: Thresholds, timeouts: int = 0) -> list[StateChange | None]:
    return [
        record.update(BEGAN + number * STEP, ProbeResult(answered), 1.5, thresholds, is_in_grace=number < timeouts)
        for number, answered in enumerate(some)
    ]


@given(answers, counts)
def test_an_outage_and_its_end_are_one_change_each(some: list[bool], misses_until_down: int) -> None:
    """Every run of enough misses gives one `WENT_DOWN`, at its n-th miss, and the next answer one `RECOVERED`."""
    changes = _feed(PartRecord(name="part"), some, Thresholds(misses_until_down=misses_until_down))
    expected: list[StateChange | None] = []
    was_down = False
    for answered, run in groupby(some):
        length = len(list(run))
        told: list[StateChange | None] = [None] * length
        if answered and was_down:
            told[0] = StateChange.RECOVERED
        if not answered and length >= misses_until_down:
            told[misses_until_down - 1] = StateChange.WENT_DOWN
        was_down = not answered and length >= misses_until_down
        expected += told
    assert expected == changes


@given(answers, counts, counts)
def test_a_part_is_up_again_after_enough_answers(some: list[bool], until_down: int, until_up: int) -> None:
    """Outage and recovery alternate, and each follows enough probes in a row."""
    thresholds = Thresholds(misses_until_down=until_down, hits_until_up=until_up)
    changes = _feed(PartRecord(name="part"), some, thresholds)
    told = [(number, change) for number, change in enumerate(changes) if change is not None]
    expected = [StateChange.WENT_DOWN, StateChange.RECOVERED]
    for index, (number, change) in enumerate(told):
        assert expected[index % 2] is change
        needed = until_down if change is StateChange.WENT_DOWN else until_up
        assert [change is StateChange.RECOVERED] * needed == some[number + 1 - needed : number + 1]


@given(st.lists(st.floats(1, 100), max_size=40), counts)
def test_slow_answers_degrade_and_a_quick_one_recovers(latencies: list[float], until: int) -> None:
    """Enough slow answers in a row make a part degraded, one quick answer makes it up; neither makes it down."""
    record = PartRecord(name="part", state=PartState.UP)
    slow = 0
    for number, latency_ms in enumerate(latencies):
        thresholds = Thresholds(misses_until_down=until, slow_ms=50)
        record.update(BEGAN + number * STEP, ProbeResult(True), latency_ms, thresholds)
        slow = slow + 1 if latency_ms > 50 else 0
        assert (PartState.DEGRADED if slow >= until else PartState.UP) is record.state


def test_a_strained_part_is_degraded_however_quick() -> None:
    """A part can report itself as strained."""
    record = PartRecord(name="backlog")
    for number in range(4):
        record.update(
            BEGAN + number * STEP, ProbeResult(True, is_overloaded=True, note="5000 waiting"), 1, Thresholds()
        )
    assert (PartState.DEGRADED, "5000 waiting") == (record.state, record.note)


@given(answers, counts, st.integers(0, 40))
def test_nothing_is_down_within_its_grace(some: list[bool], misses_until_down: int, timeouts: int) -> None:
    """A miss within the grace makes nothing down, whatever it was before; later misses do."""
    thresholds = Thresholds(misses_until_down=misses_until_down)
    changes = _feed(PartRecord(name="part", state=PartState.UP), some, thresholds, timeouts)
    assert StateChange.WENT_DOWN not in changes[:timeouts]


@given(answers.filter(any), counts)
def test_the_last_answer_is_remembered(some: list[bool], misses_until_down: int) -> None:
    """When it last answered and how fast is remembered over misses."""
    record = PartRecord(name="part")
    _feed(record, some, Thresholds(misses_until_down=misses_until_down))
    last = max(number for number, answered in enumerate(some) if answered)
    assert (BEGAN + last * STEP, 1.5) == (record.last_answer_at, record.latency_ms)


def test_an_outage_began_with_its_first_miss() -> None:
    """The alert names the first miss, not the time when the part counted as down."""
    record = PartRecord(name="part")
    _feed(record, [True, False, False, False, False], Thresholds())
    assert BEGAN + STEP == record.down_since


@given(answers)
def test_a_record_is_the_same_after_it_was_saved(some: list[bool]) -> None:
    """A record that is saved and loaded continues where it was."""
    record = PartRecord(name="part")
    _feed(record, some, Thresholds())
    assert record == PartRecord.model_validate_json(record.model_dump_json())

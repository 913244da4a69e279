"""Which requests are sent again, and when."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from vestibule.client.operations import Repeat
from vestibule.client.retry import Attempts, Retry, retry_after_s

QUICK = Retry(attempts=3, first_pause_s=0.1, longest_pause_s=0.15)


class Clock:
    """A clock that is moved by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def _attempts(repeat: Repeat, retry: Retry = QUICK, timeout_s: float = 10) -> Attempts:
    return Attempts(repeat, retry, timeout_s, Clock())


@pytest.mark.parametrize("repeat", list(Repeat), ids=str)
def test_a_refused_connection_is_tried_again_whatever_it_was_for(repeat: Repeat) -> None:
    """Nothing was sent, so nothing was done."""
    assert _attempts(repeat).after_no_answer(was_sent=False) is not None


def test_a_lost_answer_is_asked_for_again_only_where_that_is_safe() -> None:
    """What changes something needs an idempotency key."""
    may = {repeat: _attempts(repeat).after_no_answer(was_sent=True) is not None for repeat in Repeat}
    assert {Repeat.ALWAYS: True, Repeat.KEYED: True, Repeat.NEVER: False} == may


@pytest.mark.parametrize(
    ("status", "slug", "always", "never"),
    [
        (503, "unavailable", True, False),
        (503, "overloaded", True, True),
        (502, "", True, False),
        (504, "", True, False),
        (429, "quota-exceeded", True, True),
        (429, "too-many-waiting", True, True),
        (429, "", True, True),
        (408, "request-timeout", True, True),
        (429, "too-many-auth-failures", False, False),
        (409, "request-in-progress", False, False),
        (422, "personal-data", False, False),
        (404, "key-not-found", False, False),
        (500, "internal-error", False, False),
        (401, "invalid-token", False, False),
    ],
)
def test_which_refusals_pass(status: int, slug: str, always: bool, never: bool) -> None:
    """Those that say that nothing was done are repeated for all, others that pass only where that is safe."""
    found = [_attempts(repeat).after_answer(status, slug, None) is not None for repeat in (Repeat.ALWAYS, Repeat.NEVER)]
    assert [always, never] == found


def test_a_request_in_progress_is_waited_for_after_a_lost_answer() -> None:
    """It is this client's own first attempt, which goes on."""
    attempts = _attempts(Repeat.KEYED)
    assert attempts.after_no_answer(was_sent=True) is not None
    assert attempts.after_answer(409, "request-in-progress", None) is not None


def test_attempts_and_time_are_limited() -> None:
    """The last error is final: after so many attempts, or where the next would begin after the deadline."""
    attempts = _attempts(Repeat.ALWAYS)
    pauses = [attempts.after_no_answer(was_sent=False) for _ in range(3)]
    assert [True, True, False] == [pause is not None for pause in pauses]
    assert _attempts(Repeat.ALWAYS, timeout_s=0.01).after_no_answer(was_sent=False) is None
    assert _attempts(Repeat.ALWAYS, timeout_s=5).after_answer(429, "quota-exceeded", 6) is None


def test_the_service_is_given_the_time_that_it_asks_for() -> None:
    """`Retry-After` is the shortest pause."""
    assert 3.0 == _attempts(Repeat.ALWAYS).after_answer(503, "unavailable", 3.0)


def test_pauses_grow_and_differ() -> None:
    """Each is between half and all of twice the one before, and none is too long."""
    retry = Retry(first_pause_s=1, longest_pause_s=5)
    pauses = [[retry.pause_s(attempt) for attempt in (1, 2, 3, 4, 1000)] for _ in range(50)]
    for column, longest in zip(zip(*pauses, strict=True), (1, 2, 4, 5, 5), strict=True):
        assert longest / 2 <= min(column)
        assert max(column) <= longest
        assert len(set(column)) > 10


def test_retry_after_is_seconds_or_a_date() -> None:
    """Another one is as good as none."""
    now = datetime(2026, 1, 31, 12, tzinfo=UTC)
    later = format_datetime(now.replace(minute=1), usegmt=True)
    headers = ("7", " 7 ", later, format_datetime(now.replace(hour=3), usegmt=True), "soon", "-1", "", None)
    assert [7.0, 7.0, 60.0, 0.0, None, None, None, None] == [retry_after_s(header, now.timestamp) for header in headers]


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"first_pause_s": -1}, {"longest_pause_s": -1}], ids=str)
def test_a_retry_has_bounds(wrong: dict[str, int]) -> None:
    """A mistake is said at once."""
    with pytest.raises(ValueError, match="attempts must be 1 or more"):
        Retry(**wrong)  # type: ignore[arg-type]

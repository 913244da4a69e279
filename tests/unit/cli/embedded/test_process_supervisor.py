"""The pauses between a part's death and its next start."""

from hypothesis import given
from hypothesis import strategies as st

from vestibule.cli.embedded.process_supervisor import Backoff


def test_pauses_grow_up_to_ten_seconds():
    """The first start after a death is immediate; the next ones wait ever longer, but never more than ten seconds."""
    backoff = Backoff()
    assert [0, 0.5, 1, 2, 4, 8, 10, 10] == [backoff.delay_after(1) for _ in range(8)]


def test_long_life_makes_up_for_earlier_deaths():
    """After half a minute of life the next start is immediate again."""
    backoff = Backoff()
    for _ in range(5):
        backoff.delay_after(1)
    assert [0, 0.5] == [backoff.delay_after(30), backoff.delay_after(1)]


@given(st.lists(st.floats(min_value=0, max_value=1000)))
def test_pauses_stay_within_bounds(lifetimes_s):
    """Whatever the lives, a pause is neither negative nor longer than ten seconds."""
    backoff = Backoff()
    assert all(0 <= backoff.delay_after(lifetime_s) <= 10 for lifetime_s in lifetimes_s)

"""The delay between the exit of a part and its restart."""

from hypothesis import given
from hypothesis import strategies as st

from vestibule.runtime.restart_delay import RestartDelay


def test_delays_grow_up_to_ten_seconds():
    """The first restart is immediate; the delay of the next ones doubles up to ten seconds."""
    restart_delay = RestartDelay()
    assert [0, 0.5, 1, 2, 4, 8, 10, 10] == [restart_delay.after_run(1) for _ in range(8)]


def test_a_long_run_resets_the_delay():
    """After a run of half a minute the next restart is immediate again."""
    restart_delay = RestartDelay()
    for _ in range(5):
        restart_delay.after_run(1)
    assert [0, 0.5] == [restart_delay.after_run(30), restart_delay.after_run(1)]


@given(st.lists(st.floats(min_value=0, max_value=1000)))
def test_delays_stay_within_bounds(lifetimes_s):
    """Whatever the lifetimes, a delay is neither negative nor longer than ten seconds."""
    restart_delay = RestartDelay()
    assert all(0 <= restart_delay.after_run(lifetime_s) <= 10 for lifetime_s in lifetimes_s)

"""Delays between attempts grow up to a limit, with the stated share left to chance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibule.runtime.background import Backoff, Jitter


def test_delays_grow_by_the_factor_up_to_the_limit() -> None:
    """The first delay follows the first failure; before it there is none."""
    backoff = Backoff(first_s=0.5, longest_s=10.0, factor=3.0)
    assert [0.0, 0.5, 1.5, 4.5, 10.0, 10.0] == [backoff.delay_s(attempts) for attempts in range(6)]


@pytest.mark.parametrize(
    ("jitter", "shortest_s", "longest_s"), [(Jitter.NONE, 4, 4), (Jitter.EQUAL, 2, 4), (Jitter.AROUND, 2, 6)]
)
def test_jitter_is_a_share_of_the_delay(jitter: Jitter, shortest_s: float, longest_s: float) -> None:
    """The random source gets the bounds of the share; a limited delay varies too."""
    for attempts in (3, 30):
        low, high = (
            Backoff(1.0, 4.0, jitter=jitter, uniform=choose).delay_s(attempts)
            for choose in (lambda low, _: low, lambda _, high: high)
        )
        assert (shortest_s, longest_s) == (low, high)


@given(st.integers(1, 10**6), st.sampled_from(list(Jitter)))
def test_no_number_of_attempts_is_too_large(attempts: int, jitter: Jitter) -> None:
    """The power overflows long before the count does; the delay stays at its limit."""
    assert 0 < Backoff(1.0, 300.0, factor=4.0, jitter=jitter).delay_s(attempts) <= 450.0


def test_delays_with_jitter_differ() -> None:
    """The default source is random."""
    backoff = Backoff(1.0, 1.0, jitter=Jitter.EQUAL)
    assert 1 < len({backoff.delay_s(1) for _ in range(20)})

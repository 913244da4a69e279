"""What follows from a failed attempt, and when a message counts as lost."""

from hypothesis import given
from hypothesis import strategies as st

from vestibule.client_service.queue.queue_view import ORDER_MARGIN_S, QueueSnapshot
from vestibule.client_service.queue.result_backend import AttemptFailed
from vestibule.client_service.settings import ClientSettings
from vestibule.client_service.task_service.outcomes import RETRY_BACKOFF, LedgerSteps
from vestibule.contracts.tasks import Priority, TaskState

SETTINGS = ClientSettings(task_max_attempts=3)
NOWHERE = dict.fromkeys(Priority)


def steps() -> LedgerSteps:
    return LedgerSteps(SETTINGS, cipher=None)  # type: ignore[arg-type] - nothing is sealed or opened here


@given(st.integers(1, 200))
def test_each_wait_is_longer_and_none_too_long(attempts: int) -> None:
    """Four times as long after each attempt, half of it by chance, and never more than the longest."""
    longest_s = min(4.0 ** min(attempts - 1, 50), 300)
    assert longest_s / 2 <= RETRY_BACKOFF.delay_s(attempts) <= longest_s


@given(st.integers(1, 10))
def test_the_last_attempt_leads_to_the_dead_letters(attempts: int) -> None:
    """Before it, a task waits for the next attempt; with it, the task has ended and keeps its data."""
    step = steps().after_failed_attempt(AttemptFailed("a", "TaskInterrupted", attempts), now=5.0)
    is_last = attempts >= 3
    assert (TaskState.DEAD if is_last else TaskState.RETRYING, min(attempts, 3)) == (step.state, step.attempts)
    assert (is_last, True) == (step.due_in_s is None, step.keep_data)


def test_the_next_attempt_is_not_before_the_receiver_wants_it() -> None:
    """The longer wait counts: its own, or that of the receiver."""
    for asked_s, least_s in ((0.0, 0.5), (120.0, 120.0)):
        step = steps().after_failed_attempt(AttemptFailed("a", "TaskInterrupted:http_503", 1, asked_s), now=5.0)
        assert step.due_in_s is not None
        assert least_s <= step.due_in_s <= max(1.0, asked_s)
        assert "TaskInterrupted:http_503" == step.error


def test_a_message_is_lost_when_it_is_nowhere() -> None:
    """Not with a worker, no result, and all that wait were sent later."""

    def is_lost(oldest: float | None = None, at: frozenset[str] = frozenset(), **results: bytes) -> bool:
        return QueueSnapshot(results, at, {**NOWHERE, Priority.NORMAL: oldest}).is_lost("a", Priority.NORMAL, 100.0)

    assert is_lost()
    assert is_lost(oldest=100.1 + ORDER_MARGIN_S)
    assert not is_lost(oldest=99.0)
    assert not is_lost(oldest=100.0 + ORDER_MARGIN_S)
    assert not is_lost(at=frozenset({"a"}))
    assert not is_lost(a=b"result")

"""When a worker counts as one that takes nothing any more."""

from vestibule.worker.watchdog import STOPPED_AFTER_S, ConsumerWatchdog


def test_only_an_idle_worker_beside_waiting_tasks_has_stopped() -> None:
    """It has to be idle, with tasks waiting, at every look for long; work or an empty queue in between clear it."""
    now = [0.0]
    watch = ConsumerWatchdog(lambda: now[0])

    def look(at: float, waiting: int, is_busy: bool) -> bool:
        now[0] = at
        return watch.has_stopped(waiting, is_busy)

    assert not look(0, 5, is_busy=False)
    assert not look(STOPPED_AFTER_S - 1, 5, is_busy=False)
    assert not look(STOPPED_AFTER_S, 5, is_busy=True)
    assert not look(STOPPED_AFTER_S + 1, 5, is_busy=False)
    assert not look(2 * STOPPED_AFTER_S, 0, is_busy=False)
    assert not look(2 * STOPPED_AFTER_S + 1, 1, is_busy=False)
    assert look(3 * STOPPED_AFTER_S + 1, 9, is_busy=False)

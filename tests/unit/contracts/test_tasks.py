"""What a caller is told of a task."""

from datetime import UTC, datetime

import pytest

from vestibule.contracts.tasks import TaskState, TaskStatus


@pytest.mark.parametrize(
    ("state", "has_ended"),
    [(TaskState.QUEUED, False), (TaskState.RUNNING, False), (TaskState.SUCCEEDED, True), (TaskState.FAILED, True)],
)
def test_a_task_ends_by_success_or_failure(state: TaskState, has_ended: bool) -> None:
    """Whoever waits for a task waits until then, and no longer."""
    status = TaskStatus(task_id="a", state=state, processor="uppercase", submitted_at=datetime.now(UTC))
    assert has_ended == status.has_ended

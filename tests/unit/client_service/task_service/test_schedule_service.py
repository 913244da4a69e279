"""A schedule that never fires is rejected, and the error names the field."""

import pytest

from vestibule.client_service.task_service.schedule_service import ScheduleRequest, ScheduleService
from vestibule.contracts.errors import InvalidInput
from vestibule.policy import Situation


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"key": "k", "cron": "* * * * *", "timezone": "Mars/Olympus"}, "body/timezone"),
        ({"key": "k", "every_s": 60, "timezone": "DE89370400440532013000"}, "body/timezone"),
        ({"key": "k", "cron": "61 * * * *"}, "body/cron"),
        ({"key": "k", "cron": "0 0 30 2 *"}, "body/cron"),
        ({"key": "k", "cron": ""}, "body/cron"),
        ({"cron": "* * * * *"}, "body"),
    ],
    ids=[
        "unknown time zone",
        "unknown time zone beside an interval",
        "no cron expression",
        "never fires",
        "empty",
        "nothing to process",
    ],
)
async def test_the_error_names_the_field(wrong: dict[str, str], where: str) -> None:
    """Nothing is read or stored before the times are valid."""
    untouched: None = None
    service = ScheduleService(untouched, untouched, untouched)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=f"Check: {where}.") as caught:
        await service.add(ScheduleRequest.model_validate(wrong), Situation("/schedules"))
    assert [where] == [error["where"] for error in caught.value.extra["errors"]]  # type: ignore[attr-defined,index]

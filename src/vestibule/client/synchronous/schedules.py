"""Schedules: recurring tasks."""

# Made of asynchronous/schedules.py by `python -m vestibule.client.unasync`; change that one.

from collections.abc import Mapping, Sequence
from typing import Any

from vestibule.client.synchronous.resource import Resource
from vestibule.client.calls import Call, preference
from vestibule.client.results.schedules import AddedSchedule, DeletedSchedule, Schedule, ScheduleDetail, ScheduleList
from vestibule.client.results.tasks import AcceptedTask


class Schedules(Resource):
    """Schedules."""

    def add(
        self,
        *,
        cron: str | None = None,
        every_s: float | None = None,
        timezone: str | None = None,
        key: str | None = None,
        text: str | None = None,
        processor: str | None = None,
        options: Mapping[str, Any] | None = None,
        write_to: str | None = None,
        priority: str | None = None,
        receipt: bool = False,
        idempotency_key: str | None = None,
    ) -> AddedSchedule:
        """Add a recurring task; it is on disk then.

        Args:
            cron: when it fires; or
            every_s: seconds from one run to the next.
            timezone: of `cron`, such as `Europe/Berlin`; UTC by default.
            key: of the entry whose value is processed at the time; or
            text: what is processed.
            processor: one of `processors.list()`; `uppercase` by default.
            options: of the processor.
            write_to: the key that the results are written to.
            priority: `high`, `normal` or `low`.
            receipt: also return a signed receipt of the decision about `text`.
            idempotency_key: made by the client if it is not given, and the same for each attempt.

        Raises:
            PersonalDataFound: the policy blocks the text.
        """
        body = {
            "cron": cron,
            "every_s": every_s,
            "timezone": timezone,
            "key": key,
            "text": text,
            "processor": processor,
            "options": options,
            "write_to": write_to,
            "priority": priority,
        }
        call = Call(
            "add_schedule",
            body=body,
            headers=preference(receipt=receipt),
            idempotency_key=idempotency_key,
        )
        return self._result(call, AddedSchedule)

    def list(self) -> Sequence[Schedule]:
        """Return the schedules, the oldest first, without their texts."""
        return (self._result(Call("list_schedules"), ScheduleList)).schedules

    def get(self, schedule_id: str) -> ScheduleDetail:
        """Return a schedule with its next runs. Raises: ScheduleNotFound, if there is none."""
        return self._result(Call("get_schedule", path={"schedule_id": schedule_id}), ScheduleDetail)

    def delete(self, schedule_id: str) -> DeletedSchedule:
        """Delete a schedule; tasks that it has created continue. Raises: ScheduleNotFound, if there is none."""
        call = Call("delete_schedule", path={"schedule_id": schedule_id})
        return self._result(call, DeletedSchedule)

    def pause(self, schedule_id: str) -> ScheduleDetail:
        """Keep a schedule from firing until it is resumed. Raises: ScheduleNotFound, if there is none."""
        call = Call("pause_schedule", path={"schedule_id": schedule_id})
        return self._result(call, ScheduleDetail)

    def resume(self, schedule_id: str) -> ScheduleDetail:
        """Let a schedule fire again. Raises: ScheduleNotFound, if there is none."""
        call = Call("resume_schedule", path={"schedule_id": schedule_id})
        return self._result(call, ScheduleDetail)

    def run(self, schedule_id: str) -> AcceptedTask:
        """Run a schedule now, also a paused one. Raises: ScheduleNotFound; KeyNotFound, if its entry does not exist."""
        return self._result(Call("run_schedule", path={"schedule_id": schedule_id}), AcceptedTask)

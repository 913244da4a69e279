"""The scheduler service, and what the client service says about itself."""

from collections.abc import Sequence
from datetime import datetime

from vestibule.client.asynchronous.resource import AsyncResource
from vestibule.client.calls import Call
from vestibule.client.results.scheduler import (
    DeletedHeartbeat,
    Health,
    Heartbeat,
    MaintenanceWindow,
    ProblemType,
    ProblemTypes,
    SystemStatus,
)


class AsyncStatus(AsyncResource):
    """The status of all parts."""

    async def get(self, *, history: str | None = None) -> SystemStatus:
        """Return the state, last answer and availability of each part, with heartbeats, maintenance and incidents.

        Args:
            history: `day` or `month`: each part has its history of that time.
        """
        return await self._result(Call("get_status", query={"history": history}), SystemStatus)

    async def page(self) -> str:
        """Return the status as a page in HTML."""
        return (await self._answer(Call("get_status_page", accept="text/html"))).text

    async def badge(self, part: str) -> str:
        """Return a badge with the state of a part, as SVG. Raises: NotFound, if there is none."""
        call = Call("get_badge", path={"part": part}, accept="image/svg+xml")
        return (await self._answer(call)).text


class AsyncHeartbeats(AsyncResource):
    """Heartbeats: jobs ping regularly, and an alert is raised when one does not."""

    async def list(self) -> Sequence[Heartbeat]:
        """Return the heartbeats by name."""
        return await self._result(Call("list_heartbeats"), list[Heartbeat])

    async def ping(self, name: str, *, period_s: float | None = None, grace_s: float | None = None) -> Heartbeat:
        """Report that a job succeeded; the first ping creates the heartbeat.

        Args:
            name: a letter, then letters, digits, `_`, `.` and `-`.
            period_s: seconds from one ping to the next; a day by default. It stays until it is changed.
            grace_s: seconds that a ping may be late; an hour by default. It stays until it is changed.
        """
        return await self._result(_ping("ping_heartbeat", name, period_s, grace_s), Heartbeat)

    async def start(self, name: str, *, period_s: float | None = None, grace_s: float | None = None) -> Heartbeat:
        """Report that a job starts; it must report its end within the grace."""
        return await self._result(_ping("start_heartbeat", name, period_s, grace_s), Heartbeat)

    async def fail(self, name: str, *, period_s: float | None = None, grace_s: float | None = None) -> Heartbeat:
        """Report that a job failed; an alert is raised at once."""
        return await self._result(_ping("fail_heartbeat", name, period_s, grace_s), Heartbeat)

    async def delete(self, name: str) -> DeletedHeartbeat:
        """Stop expecting a heartbeat. Raises: HeartbeatNotFound, if there is none."""
        return await self._result(Call("delete_heartbeat", path={"name": name}), DeletedHeartbeat)


class AsyncMaintenance(AsyncResource):
    """Maintenance windows, in which outages raise no alert."""

    async def list(self) -> Sequence[MaintenanceWindow]:
        """Return the windows that are planned, active, or ended within a month, the latest first."""
        return await self._result(Call("list_maintenance_windows"), list[MaintenanceWindow])

    async def add(
        self, part: str | None = None, *, until: datetime, begins: datetime | None = None, reason: str | None = None
    ) -> MaintenanceWindow:
        """Add a window about a part, `heartbeat:NAME`, or all; it begins now unless a time is given.

        A part needs the scope `operator` too.
        """
        body = {"part": part, "from": begins, "until": until, "reason": reason}
        return await self._result(Call("add_maintenance_window", body=body), MaintenanceWindow)

    async def end(self, window_id: str) -> MaintenanceWindow:
        """End a window now, or delete it if it has not begun. Raises: MaintenanceNotFound, if there is none."""
        call = Call("end_maintenance_window", path={"window_id": window_id})
        return await self._result(call, MaintenanceWindow)


class AsyncServices(AsyncResource):
    """Health, metrics and problem types of the client service. None of it needs a token."""

    async def health(self) -> Health:
        """Return whether the process is running."""
        return await self._result(Call("get_health"), Health)

    async def readiness(self) -> Health:
        """Return whether what it needs answers. Raises: Unavailable, if something does not."""
        return await self._result(Call("get_readiness"), Health)

    async def metrics(self) -> str:
        """Return the metrics, in the text format of Prometheus."""
        return (await self._answer(Call("get_metrics", accept="text/plain"))).text

    async def problem_types(self) -> Sequence[ProblemType]:
        """Return all problem types, by status and name."""
        return (await self._result(Call("list_problem_types"), ProblemTypes)).problems

    async def problem_type(self, name: str) -> ProblemType:
        """Return a problem type: its cause and remedy. Raises: NotFound, if there is none."""
        return await self._result(Call("get_problem_type", path={"name": name}), ProblemType)


def _ping(operation_id: str, name: str, period_s: float | None, grace_s: float | None) -> Call:
    return Call(operation_id, path={"name": name}, query={"period_s": period_s, "grace_s": grace_s})

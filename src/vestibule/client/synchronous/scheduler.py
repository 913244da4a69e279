"""The scheduler service, and what the client service says about itself."""

# Made of asynchronous/scheduler.py by `python -m vestibule.client.unasync`; change that one.

from collections.abc import Sequence
from datetime import datetime

from vestibule.client.synchronous.resource import Resource
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


class Status(Resource):
    """The status of all parts."""

    def get(self, *, history: str | None = None) -> SystemStatus:
        """Return the state, last answer and availability of each part, with heartbeats, maintenance and incidents.

        Args:
            history: `day` or `month`: each part has its history of that time.
        """
        return self._result(Call("get_status", query={"history": history}), SystemStatus)

    def page(self) -> str:
        """Return the status as a page in HTML."""
        return (self._answer(Call("get_status_page", accept="text/html"))).text

    def badge(self, part: str) -> str:
        """Return a badge with the state of a part, as SVG. Raises: NotFound, if there is none."""
        call = Call("get_badge", path={"part": part}, accept="image/svg+xml")
        return (self._answer(call)).text


class Heartbeats(Resource):
    """Heartbeats: jobs ping regularly, and an alert is raised when one does not."""

    def list(self) -> Sequence[Heartbeat]:
        """Return the heartbeats by name."""
        return self._result(Call("list_heartbeats"), list[Heartbeat])

    def ping(self, name: str, *, period_s: float | None = None, grace_s: float | None = None) -> Heartbeat:
        """Report that a job succeeded; the first ping creates the heartbeat.

        Args:
            name: a letter, then letters, digits, `_`, `.` and `-`.
            period_s: seconds from one ping to the next; a day by default. It stays until it is changed.
            grace_s: seconds that a ping may be late; an hour by default. It stays until it is changed.
        """
        return self._result(_ping("ping_heartbeat", name, period_s, grace_s), Heartbeat)

    def start(self, name: str, *, period_s: float | None = None, grace_s: float | None = None) -> Heartbeat:
        """Report that a job starts; it must report its end within the grace."""
        return self._result(_ping("start_heartbeat", name, period_s, grace_s), Heartbeat)

    def fail(self, name: str, *, period_s: float | None = None, grace_s: float | None = None) -> Heartbeat:
        """Report that a job failed; an alert is raised at once."""
        return self._result(_ping("fail_heartbeat", name, period_s, grace_s), Heartbeat)

    def delete(self, name: str) -> DeletedHeartbeat:
        """Stop expecting a heartbeat. Raises: HeartbeatNotFound, if there is none."""
        return self._result(Call("delete_heartbeat", path={"name": name}), DeletedHeartbeat)


class Maintenance(Resource):
    """Maintenance windows, in which outages raise no alert."""

    def list(self) -> Sequence[MaintenanceWindow]:
        """Return the windows that are planned, active, or ended within a month, the latest first."""
        return self._result(Call("list_maintenance_windows"), list[MaintenanceWindow])

    def add(
        self, part: str | None = None, *, until: datetime, begins: datetime | None = None, reason: str | None = None
    ) -> MaintenanceWindow:
        """Add a window about a part, `heartbeat:NAME`, or all; it begins now unless a time is given.

        A part needs the scope `operator` too.
        """
        body = {"part": part, "from": begins, "until": until, "reason": reason}
        return self._result(Call("add_maintenance_window", body=body), MaintenanceWindow)

    def end(self, window_id: str) -> MaintenanceWindow:
        """End a window now, or delete it if it has not begun. Raises: MaintenanceNotFound, if there is none."""
        call = Call("end_maintenance_window", path={"window_id": window_id})
        return self._result(call, MaintenanceWindow)


class Services(Resource):
    """Health, metrics and problem types of the client service. None of it needs a token."""

    def health(self) -> Health:
        """Return whether the process is running."""
        return self._result(Call("get_health"), Health)

    def readiness(self) -> Health:
        """Return whether what it needs answers. Raises: Unavailable, if something does not."""
        return self._result(Call("get_readiness"), Health)

    def metrics(self) -> str:
        """Return the metrics, in the text format of Prometheus."""
        return (self._answer(Call("get_metrics", accept="text/plain"))).text

    def problem_types(self) -> Sequence[ProblemType]:
        """Return all problem types, by status and name."""
        return (self._result(Call("list_problem_types"), ProblemTypes)).problems

    def problem_type(self, name: str) -> ProblemType:
        """Return a problem type: its cause and remedy. Raises: NotFound, if there is none."""
        return self._result(Call("get_problem_type", path={"name": name}), ProblemType)


def _ping(operation_id: str, name: str, period_s: float | None, grace_s: float | None) -> Call:
    return Call(operation_id, path={"name": name}, query={"period_s": period_s, "grace_s": grace_s})

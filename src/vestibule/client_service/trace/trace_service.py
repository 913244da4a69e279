"""Puts the timeline of a request, task, decision, alert or job together from all that is kept about it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from redis.exceptions import RedisError

from vestibule.alerts import Alert
from vestibule.client_service.erasure import Erasure
from vestibule.client_service.jobs import JobRecord
from vestibule.client_service.queue.queue_view import QueueView, TaskTrace
from vestibule.client_service.task_service.bulk import BulkActions, BulkRecord
from vestibule.client_service.task_status import at
from vestibule.client_service.trace.alert_events import AlertEvents
from vestibule.client_service.trace.events import MOST_EVENTS, MissingPart, Trace, TracedFinding, TraceEvent, TraceKind
from vestibule.client_service.trace.task_events import events_of_callbacks, events_of_task
from vestibule.client_service.webhooks.dispatcher import WebhookRepository
from vestibule.contracts.decisions import DecisionRecord
from vestibule.contracts.errors import NotFound, TraceNotFound, Unavailable
from vestibule.contracts.identity import Visibility
from vestibule.contracts.task_ledger import LedgerTask
from vestibule.database_client.decisions import DecisionClient
from vestibule.database_client.tasks import TaskLedgerClient

REDIS_TIMEOUT_S = 1.0
# A request can make one task; one that adds a schedule makes all of its tasks.
MOST_TASKS = 20
Found = TypeVar("Found")


class _OfRequest(Protocol):
    @property
    def request_id(self) -> str | None: ...


@dataclass(slots=True)
class _Findings:
    """What is known so far: ids that belong together, records by their ids, and parts that did not answer."""

    tenant: str | None
    visibility: Visibility
    request_ids: set[str] = field(default_factory=set)
    decisions: dict[str, DecisionRecord] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    tasks: dict[str, LedgerTask] = field(default_factory=dict)
    jobs: list[JobRecord] = field(default_factory=list)
    incomplete: dict[str, str] = field(default_factory=dict)
    unavailable: Unavailable | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known."""
        return not (self.decisions or self.alerts or self.tasks or self.jobs)

    async def ask(self, answer: Awaitable[Found], default: Found, part: str = "database") -> Found:
        """Return an answer; `default`, with the part noted, where the part does not answer."""
        try:
            return await answer
        except Unavailable as error:
            part = str(error.extra.get("part", part))
            self.unavailable = self.unavailable or error
            self.incomplete[part] = error.detail
        except (RedisError, OSError, TimeoutError):
            self.incomplete["queue"] = "Redis does not answer: an attempt that runs may be missing."
        return default


@dataclass(frozen=True, slots=True)
class TraceService:
    """Finds what happened. Nothing is stored for it: it reads decisions, ledger, alerts, callbacks and jobs."""

    decisions: DecisionClient
    ledger: TaskLedgerClient
    queue: QueueView
    alerts: AlertEvents
    webhooks: WebhookRepository
    erasure: Erasure
    bulk_actions: BulkActions

    async def trace(self, wanted: str, tenant: str, visibility: Visibility) -> Trace:
        """Return the timeline of an id, as far as it is visible to a caller of a tenant.

        Raises:
            TraceNotFound: nothing visible has that id.
            Unavailable: parts do not answer, and without them nothing is known.
        """
        found = _Findings(None if visibility.tenants is None else tenant, visibility)
        await self._find(wanted, found)
        if found.is_empty:
            await self._find_job(wanted, tenant, found)
        if found.is_empty:
            if found.unavailable is not None:
                raise found.unavailable
            raise TraceNotFound("Nothing that is kept of your tenant has that id.")
        events = await self._events(found)
        events.sort(key=lambda event: event.place)
        missing = [MissingPart(part=part, reason=reason) for part, reason in sorted(found.incomplete.items())]
        omitted = max(0, len(events) - MOST_EVENTS)
        return Trace(id=wanted, events=events[:MOST_EVENTS], incomplete=missing or None, omitted=omitted or None)

    async def _find(self, wanted: str, found: _Findings) -> None:
        """Find the record of the id, and from it those of its request and its task."""
        records, alerts, tasks, of_request = await asyncio.gather(
            found.ask(self.decisions.find([wanted], found.tenant), []),
            found.ask(asyncio.to_thread(self.alerts.find, [wanted], found.visibility), [], "alerts"),
            found.ask(self.ledger.find_states([wanted]), {}),
            found.ask(self.ledger.find_of_request(wanted, found.tenant, MOST_TASKS), []),
        )
        self._add(found, records, alerts, tasks.values())
        # The task of the id, or those of its request; not the other tasks of a request that added a schedule.
        task_ids = {wanted} & found.tasks.keys() or {
            *of_request,
            *(record.task_id for record in records if record.task_id is not None),
            *(alert.task_id for alert in alerts if alert.task_id is not None),
        }
        others = task_ids - found.tasks.keys()
        if others:
            tasks = await found.ask(self.ledger.find_states(sorted(others)), {})
            self._add(found, [], [], tasks.values())
        ids = {wanted, *task_ids, *found.request_ids}
        if ids - {wanted}:
            records, alerts = await asyncio.gather(
                found.ask(self.decisions.find(sorted(ids), found.tenant), []),
                found.ask(asyncio.to_thread(self.alerts.find, sorted(ids), found.visibility), [], "alerts"),
            )
            is_one_task = wanted in found.tasks
            self._add(
                found,
                [one for one in records if not is_one_task or one.task_id in (None, wanted)],
                [one for one in alerts if not is_one_task or one.task_id in (None, wanted)],
                [],
            )
        missing = {one.alert_id for one in found.decisions.values() if one.alert_id} - found.alerts.keys()
        if missing:
            more = asyncio.to_thread(self.alerts.find, sorted(missing), found.visibility)
            self._add(found, [], await found.ask(more, [], "alerts"), [])

    def _add(
        self, found: _Findings, records: Iterable[DecisionRecord], alerts: Iterable[Alert], tasks: Iterable[LedgerTask]
    ) -> None:
        visible = [task for task in tasks if found.visibility.covers(task.tenant)]
        records, alerts = list(records), list(alerts)
        found.decisions |= {record.decision_id: record for record in records}
        found.alerts |= {alert.id: alert for alert in alerts}
        found.tasks |= {task.task_id: task for task in visible}
        everything: list[_OfRequest] = [*records, *alerts, *visible]
        found.request_ids |= {one.request_id for one in everything if one.request_id is not None}

    async def _find_job(self, wanted: str, tenant: str, found: _Findings) -> None:
        for find in (self.erasure.find, self.bulk_actions.find):
            record: JobRecord | None = await found.ask(_or_none(find, wanted, tenant), None)
            if record is None:
                continue
            found.jobs.append(record)
            if record.request_id is not None:
                records = await found.ask(self.decisions.find([record.request_id], found.tenant), [])
                alerts = asyncio.to_thread(self.alerts.find, [record.request_id], found.visibility)
                self._add(found, records, await found.ask(alerts, [], "alerts"), [])
            return

    async def _events(self, found: _Findings) -> list[TraceEvent]:
        events = [*_requests(found), *map(_decision_event, found.decisions.values())]
        events += [event for job in found.jobs for event in _job_events(job)]
        events += _alerts_elsewhere(found)
        alerts = asyncio.to_thread(self.alerts.events_of, list(found.alerts.values()))
        events += await found.ask(alerts, [], "alerts")
        for task in found.tasks.values():
            seen = None if task.state.is_end else await found.ask(self._look_up(task.task_id), None)
            events += events_of_task(task, seen)
            events += events_of_callbacks(task.task_id, await found.ask(self.webhooks.states_of(task.task_id), []))
        return events

    async def _look_up(self, task_id: str) -> TaskTrace | None:
        async with asyncio.timeout(REDIS_TIMEOUT_S):
            return await self.queue.read(task_id)


async def _or_none(find: Callable[[str, str], Awaitable[Any]], job_id: str, tenant: str) -> JobRecord | None:
    try:
        record: JobRecord = await find(job_id, tenant)
    except NotFound:
        return None
    return record


def _requests(found: _Findings) -> list[TraceEvent]:
    """Return one event for each request: when it was first seen, from which token, and what it was about."""
    events = []
    for request_id in sorted(found.request_ids):
        decisions = [one for one in found.decisions.values() if one.request_id == request_id and one.task_id is None]
        decisions = decisions or [one for one in found.decisions.values() if one.request_id == request_id]
        tasks = [one for one in found.tasks.values() if one.request_id == request_id]
        alerts = [one for one in found.alerts.values() if one.request_id == request_id]
        jobs = [one for one in found.jobs if one.request_id == request_id]
        seen: list[tuple[datetime, Any]] = [
            *((record.time, record) for record in decisions),
            *((alert.time, alert) for alert in alerts),
            *((at(one.submitted_at), one) for one in tasks),
            *((at(one.started_at), one) for one in jobs),
        ]
        if not seen:
            continue
        first_at, first = min(seen, key=lambda pair: pair[0])
        first_decision = min(decisions, key=lambda one: one.time, default=None)
        events.append(
            TraceEvent(
                at=first_at,
                kind=TraceKind.REQUEST,
                request_id=request_id,
                token_id=first.token_id,
                token_name=first.token_name,
                tenant=first.tenant,
                route=first_decision and first_decision.route,
                outcome=first_decision and first_decision.outcome,
            )
        )
    return events


def _decision_event(record: DecisionRecord) -> TraceEvent:
    members = (
        "decision_id",
        "request_id",
        "token_id",
        "token_name",
        "route",
        "outcome",
        "action",
        "task_id",
        "key_prefix",
    )
    return TraceEvent(
        at=record.time,
        kind=TraceKind.DECISION,
        alert_id=record.alert_id,
        findings=[
            TracedFinding(
                entity=one.entity,
                score=one.score,
                field=one.field,
                action=one.action,
                would_have=one.would_have,
                rule=one.rule,
            )
            for one in record.findings
        ]
        or None,
        **{name: getattr(record, name) for name in members},
    )


def _alerts_elsewhere(found: _Findings) -> list[TraceEvent]:
    """Return the alerts that decisions name and that are not in the store of this host."""
    return [
        TraceEvent(
            at=record.time,
            kind=TraceKind.ALERT_ELSEWHERE,
            alert_id=record.alert_id,
            replica=record.replica,
            request_id=record.request_id,
            task_id=record.task_id,
            token_id=record.token_id,
            token_name=record.token_name,
        )
        for record in found.decisions.values()
        if record.alert_id is not None and record.alert_id not in found.alerts
    ]


def _job_events(record: JobRecord) -> list[TraceEvent]:
    about = {
        "job_id": record.job_id,
        "job": record.action.value if isinstance(record, BulkRecord) else "erasure",
        "token_id": record.token_id,
        "token_name": record.token_name,
        "request_id": record.request_id,
    }
    started = TraceEvent(at=at(record.started_at), kind=TraceKind.JOB_STARTED, **about)
    if record.finished_at is None:
        return [started]
    return [started, TraceEvent(at=at(record.finished_at), kind=TraceKind.JOB_FINISHED, **about)]

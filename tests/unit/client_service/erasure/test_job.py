"""Erasures as jobs: answered at once or later, over restarts, one for each tenant, with the value kept no longer."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient
from redis.asyncio import Redis as AsyncRedis

from servers.peers import LocalPeer
from vestibule.alerts import Alert, AlertEngine, Severity
from vestibule.alerts.store.reasons import AlertReasons
from vestibule.client_service import jobs as jobs_module
from vestibule.client_service.erasure import (
    OWNER,
    Erasure,
    ErasureRecords,
    ErasureStages,
    ServiceRecords,
    SubjectService,
    job,
)
from vestibule.client_service.erasure.records import ErasureRecord
from vestibule.client_service.queue.application import REALM
from vestibule.client_service.queue.queue_view import QueueView
from vestibule.client_service.settings import ClientSettings
from vestibule.client_service.task_service.outcomes import LedgerSteps
from vestibule.client_service.task_service.schedule_service import ScheduleService
from vestibule.contracts.entries import Pair
from vestibule.contracts.errors import ErasureInProgress, ErasureNotFound, KeyNotFound, Unavailable
from vestibule.contracts.identity import Principal
from vestibule.contracts.schedules import OWNER as SCHEDULES
from vestibule.contracts.schedules import place_of
from vestibule.contracts.subjects import ErasePage, FindForm, FindKind, FoundPlace
from vestibule.database_client.audit import AuditClient
from vestibule.database_client.entries import EntryClient
from vestibule.database_client.tasks import TaskLedgerClient
from vestibule.database_client.transport import DatabaseTransport
from vestibule.database_service.main import create_app
from vestibule.database_service.settings import DatabaseSettings
from vestibule.encryption import Cipher, KeyRingFile
from vestibule.service_kit.audit.trail import AuditTrail
from vestibule.subject_search import SubjectSearcher

VALUE = "orders@example.org"
T1 = Principal("t1", "token-1")
RECORDS = Principal("~records")


class Alerts(AlertEngine):
    """Counts the alerts."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def raise_alert(self, _kind: Any, text: str, **_of_it: Any) -> Any:
        """Remember the text."""
        self.texts.append(text)


class Jobs:
    """A database service, and client services over it that erase."""

    def __init__(self, transport: DatabaseTransport, redis: AsyncRedis, settings: ClientSettings) -> None:
        self.transport, self.redis, self.settings = transport, redis, settings
        self.records = ErasureRecords(EntryClient(transport, OWNER))
        self.alerts = Alerts()
        ring = KeyRingFile(settings.key_ring_path)
        unused: Any = None
        self.stages = ErasureStages(
            self.entries,
            [ServiceRecords(RECORDS, FindKind.REPLY, "{}"), ServiceRecords(SCHEDULES, FindKind.SCHEDULE)],
            TaskLedgerClient(transport),
            ScheduleService(self.entries(SCHEDULES), unused, unused),
            redis,
            QueueView(redis),
            LedgerSteps(settings, Cipher(ring, REALM)),
            SubjectSearcher(ring),
            AlertReasons(settings.alert_record_path, settings.report_dir),
            AuditClient(transport),
        )

    def entries(self, owner: Principal) -> EntryClient:
        """Return the client for the entries of `owner`."""
        return EntryClient(self.transport, owner)

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Erasure]:
        """Run a client service."""
        trail = AuditTrail("client", self.settings.data_dir, AuditClient(self.transport))
        tenants = frozenset({"default"})
        erasure = Erasure(
            self.records, self.stages, self.alerts, lambda: tenants, sign=lambda _record: None, trail=trail
        )
        async with erasure.running():
            yield erasure


@pytest.fixture
async def jobs(settings: ClientSettings) -> AsyncIterator[Jobs]:
    """A database service, and what client services need."""
    app = create_app(DatabaseSettings(data_dir=settings.data_dir, embedded=True))
    headers = {"Authorization": f"Bearer {settings.secret_file.read_text()}"}
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://database", headers=headers) as client,
        AsyncRedis.from_url(settings.redis_url) as redis,
    ):
        yield Jobs(DatabaseTransport(LocalPeer(client)), redis, settings)


async def _end(erasure: Erasure, erasure_id: str) -> Any:
    async with asyncio.timeout(60):
        while (record := await erasure.find(erasure_id, "t1")).finished_at is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return record


async def test_a_small_erasure_is_answered_at_once(jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all its counts, one alert, and nothing left of the value; another tenant does not see it."""
    monkeypatch.setattr(job, "ANSWER_AFTER_S", 60.0)
    entries = jobs.entries(T1)
    for key, value in (("a", VALUE), ("b", "other"), (VALUE, "x")):
        await entries.write(Pair(key=key, value=value))
    await jobs.entries(RECORDS).write(Pair(key="r", value=json.dumps({"tenant": "t1", "body": VALUE})))
    schedule = "schedule/" + place_of("t1") + "0" * 32
    await jobs.entries(SCHEDULES).write(Pair(key=schedule, value=json.dumps({"tenant": "t1", "data": VALUE})))
    progress = schedule.replace("schedule/", "progress/")
    await jobs.entries(SCHEDULES).write(Pair(key=progress, value="{}"))
    async with jobs.process() as erasure:
        record = await erasure.erase(VALUE, T1)
        assert (None, 5, 4, 0) == (record.query, record.entries.examined, record.entries.erased, record.unreadable)
        assert record.finished_at is not None
        assert record == await erasure.find(record.erasure_id, "t1")
        with pytest.raises(ErasureNotFound):
            await erasure.find(record.erasure_id, "t2")
        assert [] == await jobs.records.running()
        assert 0 == (await erasure.erase(VALUE, T1)).entries.erased
    assert 2 == len(jobs.alerts.texts)
    assert ["b"] == (await entries.keys("", 10, None)).keys
    assert "{}" == (await jobs.entries(RECORDS).read("r")).value
    for key in (schedule, progress):
        with pytest.raises(KeyNotFound):
            await jobs.entries(SCHEDULES).read(key)
    assert [] == [path.name for path in tmp_path.rglob("*.db*") if VALUE.encode() in path.read_bytes()]  # noqa: ASYNC240


async def test_a_tenant_has_one_at_a_time(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second one is refused while the first runs; another tenant's is not; the first goes on over an outage."""
    monkeypatch.setattr(job, "ANSWER_AFTER_S", 0.05)
    is_down, run_page = [True], ErasureStages.run_page

    async def fail(stages: ErasureStages, record: Any) -> Any:
        if is_down and record.tenant == "t1":
            raise Unavailable("database", "It does not answer.")
        return await run_page(stages, record)

    monkeypatch.setattr(ErasureStages, "run_page", fail)
    await jobs.entries(T1).write(Pair(key="a", value=VALUE))
    async with jobs.process() as erasure:
        record = await erasure.erase(VALUE, T1)
        assert record.finished_at is None
        with pytest.raises(ErasureInProgress):
            await erasure.erase("another value", T1)
        await erasure.erase(VALUE, Principal("t2"))
        is_down.clear()
        assert 1 == (await _end(erasure, record.erasure_id)).entries.erased


async def test_a_torn_record_stops_no_other(jobs: Jobs) -> None:
    """It is skipped, and the erasures of other tenants go on."""
    await jobs.entries(OWNER).write(Pair(key="running/torn", value="{torn"))
    assert [] == await jobs.records.running()


async def test_an_erasure_survives_a_restart(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process goes on where the record says, and every entry counts once; the record shows no value."""
    monkeypatch.setattr(job, "ANSWER_AFTER_S", 0.0)
    monkeypatch.setattr(jobs_module, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(jobs_module, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(jobs_module, "TAKEN_OVER_AFTER_S", 0.5)
    monkeypatch.setattr("vestibule.client_service.erasure.stages.PAGE", 2)
    pages, run_page, has_stopped = [0], ErasureStages.run_page, asyncio.Event()

    async def stop(stages: ErasureStages, record: Any) -> Any:
        pages[0] += 1
        if pages[0] == 3:
            has_stopped.set()
            await asyncio.Event().wait()
        return await run_page(stages, record)

    monkeypatch.setattr(ErasureStages, "run_page", stop)
    for number in range(9):
        await jobs.entries(T1).write(Pair(key=f"k{number}", value=VALUE if number % 2 else "other"))
    async with jobs.process() as erasure:
        record = await erasure.erase(VALUE, T1)
        await has_stopped.wait()
    ((kept, _),) = await jobs.records.running()
    assert (0, 4) == (kept.stage, kept.entries.examined)
    assert VALUE not in kept.status.model_dump_json()
    async with jobs.process() as first, jobs.process() as second:
        ended = await _end(first, record.erasure_id)
        assert (9, 4) == (ended.entries.examined, ended.entries.erased)
        assert ended == await second.find(record.erasure_id, "t1")
    assert 1 <= len(jobs.alerts.texts) <= 2
    assert all("continued after an interruption" in text for text in jobs.alerts.texts)


class Unrecorded(Alerts):
    """Raises alerts that cannot be recorded."""

    async def raise_alert(self, _kind: Any, text: str, **_of_it: Any) -> Any:
        """Remember the text, and say that it is not on disk."""
        self.texts.append(text)
        return Alert(type=_kind, description=text, service="client", severity=Severity.INFO, is_recorded=False)


class Accepts:
    """Accepts every reason."""

    async def refuse_findings(self, _field: str, _text: str) -> None:
        """Accept."""


async def test_a_search_without_its_alert_is_refused(jobs: Jobs) -> None:
    """Nothing is searched then, and no record of it is stored."""
    accepts: Any = Accepts()
    async with jobs.process() as finds:
        service = SubjectService(accepts, Unrecorded(), finds, finds)
        with pytest.raises(Unavailable):
            await service.find(VALUE, "why", T1)
    assert [] == await jobs.records.running()


async def test_a_search_goes_on_as_a_job_over_a_restart(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lists what it found for its token alone, keeps the value no longer than it runs, and erases nothing."""
    monkeypatch.setattr(job, "ANSWER_AFTER_S", 0.0)
    monkeypatch.setattr(jobs_module, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(jobs_module, "TAKEN_OVER_AFTER_S", 0.05)
    entries = jobs.entries(T1)
    for key in ("a", "b"):
        await entries.write(Pair(key=key, value=VALUE))
    async with jobs.process() as finds:
        record = await finds.erase(VALUE, T1, find_only=True)
        assert "running" == record.find_status(with_keys=True).state
    async with jobs.process() as finds:
        record = await _end(finds, record.erasure_id)
        unused: Any = None
        service = SubjectService(unused, jobs.alerts, finds, finds)
        with pytest.raises(ErasureNotFound):
            await service.result_of(record.erasure_id, Principal("t1", "token-2"))
        assert record == await service.result_of(record.erasure_id, T1)
    status = record.find_status(with_keys=True)
    assert (None, {"entry": 2}, ["a", "b"]) == (record.query, status.counts, [one.key for one in status.found])
    assert [None, None] == [one.key for one in record.find_status(with_keys=False).found]
    assert ["a", "b"] == (await entries.keys("", 10, None)).keys
    assert [] == jobs.alerts.texts


def test_the_list_of_places_is_bounded() -> None:
    """All are counted; a reader sees that there are more."""
    page = ErasePage()
    page.note([FoundPlace(kind=FindKind.ENTRY, form=FindForm.PLAIN, key="k" * 500)] * 700, is_listed=True)
    record = ErasureRecord(erasure_id="0" * 32, tenant="t1", started_at=0, find_only=True, finished_at=1)
    for _ in range(2):
        record = record.model_copy(update=record.with_page(page))
    status = record.find_status(with_keys=True)
    assert (1400, True) == (status.counts[FindKind.ENTRY], status.has_more)
    assert 300 < len(status.found) < 400
    assert len(record.model_dump_json()) < 400_000 * 3 / 4

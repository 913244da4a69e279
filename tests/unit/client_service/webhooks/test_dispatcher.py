"""Webhooks: delivered by one of several dispatchers, retried, given up with an alert, removed without a task."""

import asyncio
import time
from collections.abc import Mapping, Sequence

import pytest

from vestibule.alerts import Alert, AlertEngine
from vestibule.client_service.webhooks.dispatcher import FIRST_CHECK_AFTER_S, WebhookDispatcher, WebhookRepository
from vestibule.client_service.webhooks.rules import WebhookRules
from vestibule.contracts.conditions import ALWAYS, Condition
from vestibule.contracts.entries import Deleted, Entry, KeyPage, Pair, Written
from vestibule.contracts.errors import InvalidInput
from vestibule.contracts.task_ledger import LedgerTask, NewTask
from vestibule.contracts.tasks import Priority, TaskState
from vestibule.database_client.entries import EntryClient
from vestibule.database_client.tasks import TaskLedgerClient
from vestibule.database_service.entries.memory import MemoryStore
from vestibule.database_service.entries.store import Write
from vestibule.egress.guard import DeliveryFailed, EgressGuard

URL = "https://hooks.example.org/path"


class LocalEntryClient(EntryClient):
    """A client of a store in this process."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def write(self, pair: Pair, condition: Condition = ALWAYS, operation: str | None = None) -> Written:
        version = await self._store.write(Write(pair.key, pair.value, condition=condition))
        return Written(key=pair.key, version=version)

    async def read_many(self, keys: Sequence[str]) -> list[Entry | None]:
        return await self._store.read_many(keys)

    async def keys(self, prefix: str, limit: int, cursor: str | None) -> KeyPage:
        return await self._store.keys(prefix, limit, cursor)

    async def delete(self, key: str, condition: Condition = ALWAYS) -> Deleted:
        return Deleted(key=key, deleted=await self._store.delete(key, condition=condition))


class OneTaskLedger(TaskLedgerClient):
    """A ledger that knows one task."""

    def __init__(self, state: TaskState | None) -> None:
        self.state = state

    async def find(self, task_id: str) -> LedgerTask | None:
        if self.state is None:
            return None
        return LedgerTask(
            task_id=task_id,
            tenant="default",
            processor="uppercase",
            priority=Priority.NORMAL,
            state=self.state,
            attempts=0,
            result="SEALED AWAY",
            submitted_at=time.time(),
        )


class Receiver(EgressGuard):
    """Records what is posted, and accepts it or not."""

    posted: list[tuple[str, bytes, Mapping[str, str]]]
    accepts = True

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        self.posted.append((url, body, headers))
        if not self.accepts:
            raise DeliveryFailed("the answer was 503")


class AlertRecorder:
    """A channel that records the alerts that it delivers."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def deliver(self, alert: Alert) -> None:
        self.alerts.append(alert)


class Dispatchers:
    """Two dispatchers over one store."""

    def __init__(self, state: TaskState | None, give_up_after_s: float = 86_400) -> None:
        self.store = MemoryStore()
        self.ledger = OneTaskLedger(state)
        self.receiver = Receiver(frozenset({"https"}), frozenset(), False, 1)
        object.__setattr__(self.receiver, "posted", [])
        self.recorder, self.outcomes = AlertRecorder(), list[str]()
        self.rules = WebhookRules("secret", self.receiver, give_up_after_s)
        self.all = [self._dispatcher() for _ in range(2)]

    def _dispatcher(self) -> WebhookDispatcher:
        alerts = AlertEngine("client", {"recorder": self.recorder}, lambda *_: None)
        repository = WebhookRepository(LocalEntryClient(self.store))
        return WebhookDispatcher(repository, self.ledger, self.rules, alerts, self.outcomes.append)

    async def add_webhook(self) -> None:
        due_now = NewTask.model_construct(task_id="0" * 36, tenant="default", due_in_s=-FIRST_CHECK_AFTER_S)
        await WebhookRepository(LocalEntryClient(self.store)).add(due_now, URL)

    async def pending(self) -> int:
        return len((await self.store.keys("callback/", 10, None)).keys)


async def test_one_of_several_dispatchers_delivers() -> None:
    """Both look at the same time; there is one post, without the result, and nothing is pending after it."""
    system = Dispatchers(TaskState.SUCCEEDED)
    await system.add_webhook()
    await asyncio.gather(*(one.dispatch_due() for one in system.all))
    ((url, body, headers),) = system.receiver.posted
    assert (URL, "0" * 36, True) == (url, headers["Idempotency-Key"], b'"state": "succeeded"' in body)
    assert b"SEALED AWAY" not in body
    assert (["delivered"], 0) == (system.outcomes, await system.pending())


async def test_a_running_task_is_checked_again_later() -> None:
    """Nothing is delivered before the task's end, and the next check is not immediate."""
    system = Dispatchers(TaskState.RUNNING)
    await system.add_webhook()
    await system.all[0].dispatch_due()
    system.ledger.state = TaskState.FAILED
    await system.all[0].dispatch_due()
    assert ([], 1) == (system.receiver.posted, await system.pending())


async def test_a_failed_delivery_is_retried_until_it_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook that is not accepted stays pending; when its time is over it is given up, with an alert."""
    system = Dispatchers(TaskState.DEAD)
    monkeypatch.setattr(Receiver, "accepts", False)
    await system.add_webhook()
    await system.all[0].dispatch_due()
    await system.all[1].dispatch_due()
    assert (["failed"], 1, 1) == (system.outcomes, len(system.receiver.posted), await system.pending())

    late = Dispatchers(TaskState.DEAD, give_up_after_s=0)
    await late.add_webhook()
    await late.all[0].dispatch_due()
    assert (["given_up"], 0) == (late.outcomes, await late.pending())
    assert ["DeliveryFailing"] == [alert.type.value for alert in late.recorder.alerts]


async def test_a_webhook_without_its_task_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at once, since the task may be recorded a moment later."""
    system = Dispatchers(None)
    await system.add_webhook()
    await system.all[0].dispatch_due()
    assert 1 == await system.pending()
    monkeypatch.setattr("vestibule.client_service.webhooks.dispatcher.ORPHAN_AFTER_S", -1)
    await system.add_webhook()
    await system.all[1].dispatch_due()
    assert ([], 0) == (system.receiver.posted, await system.pending())


@pytest.mark.parametrize(
    "url", ["http://a.example/", "https://u:p@a.example/", "https:///x", "a.example", "https://ä/"]
)
def test_addresses_that_lead_nowhere_are_refused(url: str) -> None:
    """By scheme, login, host and characters; of a valid one host and path are screened."""
    rules = Dispatchers(None).rules
    with pytest.raises(InvalidInput):
        rules.check(url)
    assert "hooks.example.org /path?to=x" == rules.check("https://hooks.example.org:8443/path?to=x")


def test_each_tenant_has_a_key_of_its_own() -> None:
    """The same each time, and no other's."""
    rules = Dispatchers(None).rules
    assert rules.key_of("one") == rules.key_of("one") != rules.key_of("two")

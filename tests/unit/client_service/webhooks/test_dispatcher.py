"""Webhooks: delivered by one of several dispatchers, retried, given up with an alert, removed without a task."""

import asyncio
import threading
import time
from collections.abc import Mapping, Sequence

import pytest

from vestibule.alerts import Alert, AlertEngine
from vestibule.client_service.webhooks.dispatcher import (
    FIRST_CHECK_AFTER_S,
    MOST_PER_HOST,
    PendingWebhook,
    WebhookDispatcher,
    WebhookRepository,
)
from vestibule.client_service.webhooks.rules import WebhookRules
from vestibule.contracts.entries import ALWAYS, Condition, Deleted, Entry, KeyPage, Pair, Written
from vestibule.contracts.errors import InvalidInput, Unavailable
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

    async def read_readable(self, keys: Sequence[str]) -> list[Entry | None]:
        return await self._store.read_many(keys)

    async def keys(self, prefix: str, limit: int, cursor: str | None) -> KeyPage:
        return await self._store.keys(prefix, limit, cursor)

    async def delete(self, key: str, condition: Condition = ALWAYS) -> Deleted:
        return Deleted(key=key, deleted=await self._store.delete(key, condition=condition))


class OneTaskLedger(TaskLedgerClient):
    """A ledger that knows one task."""

    def __init__(self, state: TaskState | None) -> None:
        self.state = state
        self.is_unreadable = False
        self.failures = 0

    async def find_any(self, task_id: str) -> LedgerTask | None:
        if self.failures:
            self.failures -= 1
            raise Unavailable("database", "away")
        if self.state is None:
            return None
        return LedgerTask(
            task_id=task_id,
            tenant="default",
            processor="uppercase",
            priority=Priority.NORMAL,
            state=self.state,
            attempts=0,
            result=None if self.is_unreadable else "SEALED AWAY",
            is_unreadable=self.is_unreadable,
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


class BusyReceiver(Receiver):
    """Wants to be left alone for a quarter of an hour."""

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        self.posted.append((url, body, headers))
        raise DeliveryFailed("the answer was 429", retry_after_s=900)


class HangingReceiver(Receiver):
    """Lets every host but one hang until it is released."""

    released = threading.Event()

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        super().post(url, body, headers)
        if "good" not in url and not self.released.wait(60):
            raise DeliveryFailed("nobody released it")


class AlertRecorder:
    """A channel that records the alerts that it delivers."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def deliver(self, alert: Alert) -> None:
        self.alerts.append(alert)


class Dispatchers:
    """Two dispatchers over one store."""

    def __init__(
        self, state: TaskState | None, give_up_after_s: float = 86_400, receiver: "Receiver | None" = None
    ) -> None:
        self.store = MemoryStore()
        self.ledger = OneTaskLedger(state)
        self.receiver = receiver or Receiver(frozenset({"https"}), frozenset(), False, 1)
        object.__setattr__(self.receiver, "posted", [])
        self.recorder, self.outcomes = AlertRecorder(), list[str]()
        self.rules = WebhookRules("secret", self.receiver, give_up_after_s)
        self.all = [self._dispatcher() for _ in range(2)]

    def _dispatcher(self) -> WebhookDispatcher:
        alerts = AlertEngine("client", {"recorder": self.recorder}, lambda *_: None)
        repository = WebhookRepository(LocalEntryClient(self.store))
        return WebhookDispatcher(repository, self.ledger, self.rules, alerts, self.outcomes.append)

    async def add_webhook(self, url: str = URL, tenant: str = "default") -> None:
        due_now = NewTask.model_construct(task_id="0" * 36, tenant=tenant, due_in_s=-FIRST_CHECK_AFTER_S)
        await WebhookRepository(LocalEntryClient(self.store)).add(due_now, url)

    async def pending(self) -> int:
        return len((await self.store.keys("callback/", 10, None)).keys)


async def dispatch(dispatcher: WebhookDispatcher) -> None:
    """Deliver what is due, and wait for its end."""
    await dispatcher.dispatch_due()
    await dispatcher.finish_deliveries()


async def test_one_of_several_dispatchers_delivers() -> None:
    """Both look at the same time; there is one post, without the result, and nothing is pending after it."""
    system = Dispatchers(TaskState.SUCCEEDED)
    await system.add_webhook()
    await asyncio.gather(*map(dispatch, system.all))
    ((url, body, headers),) = system.receiver.posted
    assert (URL, "0" * 36, True) == (url, headers["Idempotency-Key"], b'"state": "succeeded"' in body)
    assert b"SEALED AWAY" not in body
    assert (["delivered"], 0) == (system.outcomes, await system.pending())


async def test_what_cannot_be_read_delays_no_webhook() -> None:
    """A record that is not valid is skipped; a task whose result cannot be decrypted has ended all the same."""
    system = Dispatchers(TaskState.SUCCEEDED)
    system.ledger.is_unreadable = True
    await system.store.write(Write("callback/1", "{torn"))
    await system.add_webhook()
    await dispatch(system.all[0])
    assert [True] == [b'"state": "succeeded"' in body for _, body, _ in system.receiver.posted]


async def test_a_task_that_cannot_be_looked_up_delays_no_other() -> None:
    """Its webhook is tried again later, and the others are delivered now."""
    system = Dispatchers(TaskState.SUCCEEDED)
    await system.add_webhook()
    await system.add_webhook("https://hooks.example.org/other")
    system.ledger.failures = 1
    with pytest.raises(Unavailable):
        await dispatch(system.all[0])
    await system.all[0].finish_deliveries()
    assert 1 == len(system.receiver.posted)


async def test_a_running_task_is_checked_again_later() -> None:
    """Nothing is delivered before the task's end, and the next check is not immediate."""
    system = Dispatchers(TaskState.RUNNING)
    await system.add_webhook()
    await dispatch(system.all[0])
    system.ledger.state = TaskState.FAILED
    await dispatch(system.all[0])
    assert ([], 1) == (system.receiver.posted, await system.pending())


async def test_a_failed_delivery_is_retried_until_it_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook that is not accepted stays pending; when its time is over it is given up, with an alert."""
    system = Dispatchers(TaskState.DEAD)
    monkeypatch.setattr(Receiver, "accepts", False)
    await system.add_webhook()
    await dispatch(system.all[0])
    await dispatch(system.all[1])
    assert (["failed"], 1, 1) == (system.outcomes, len(system.receiver.posted), await system.pending())

    late = Dispatchers(TaskState.DEAD, give_up_after_s=0)
    await late.add_webhook()
    await dispatch(late.all[0])
    assert (["given_up"], 0) == (late.outcomes, await late.pending())
    assert ["DeliveryFailing"] == [alert.type.value for alert in late.recorder.alerts]


async def test_a_receiver_is_left_alone_as_long_as_it_asks() -> None:
    """`Retry-After` is the least time for everything to that receiver of the tenant, in whichever dispatcher."""
    system = Dispatchers(TaskState.SUCCEEDED, receiver=BusyReceiver(frozenset({"https"}), frozenset(), False, 1))
    await system.add_webhook()
    await dispatch(system.all[0])
    await system.add_webhook(URL + "/another")
    before = time.time()
    for dispatcher in system.all:
        await dispatch(dispatcher)
    # The other dispatcher asks once too, since it has not heard of it.
    assert [URL, URL + "/another"][: len(system.receiver.posted)] == [url for url, _, _ in system.receiver.posted]
    keys = (await system.store.keys("callback/", 10, None)).keys
    pending = [PendingWebhook.model_validate_json(entry.value) for entry in await system.store.read_many(keys) if entry]
    assert [True, True] == [one.next_at >= before + 800 for one in pending]


async def test_a_receiver_that_hangs_delays_no_other() -> None:
    """Its tenant's share is used up, and callbacks of another tenant, and of its own to other hosts, are delivered."""
    hanging = HangingReceiver(frozenset({"https"}), frozenset(), False, 1)
    system = Dispatchers(TaskState.SUCCEEDED, receiver=hanging)
    dispatcher = system.all[0]
    good = ["https://good.example.org/other", "https://good.example.org/own"]
    try:
        for number in range(96):
            await system.add_webhook(f"https://hangs.example.org/{number}", "greedy")
        await dispatcher.dispatch_due()
        await system.add_webhook(good[0], "neighbour")
        await system.add_webhook(good[1], "greedy")
        await dispatcher.dispatch_due()
        async with asyncio.timeout(30):
            while len((await system.store.keys("callback/", 200, None)).keys) > 96:  # noqa: ASYNC110
                await asyncio.sleep(0)
        assert set(good) == {url for url, _, _ in hanging.posted if "good" in url}
        assert MOST_PER_HOST == sum("hangs" in url for url, _, _ in hanging.posted)
    finally:
        hanging.released.set()
    await dispatch(dispatcher)
    await dispatch(dispatcher)
    assert 0 == await system.pending()


async def test_a_webhook_without_its_task_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at once, since the task may be recorded a moment later."""
    system = Dispatchers(None)
    await system.add_webhook()
    await dispatch(system.all[0])
    assert 1 == await system.pending()
    monkeypatch.setattr("vestibule.client_service.webhooks.dispatcher.ORPHAN_AFTER_S", -1)
    await system.add_webhook()
    await dispatch(system.all[1])
    assert ([], 0) == (system.receiver.posted, await system.pending())


@pytest.mark.parametrize(
    "url", ["http://a.example/", "https://u:p@a.example/", "https:///x", "a.example", "https://ä/"]
)
def test_addresses_that_lead_nowhere_are_refused(url: str) -> None:
    """By scheme, login, host and characters; what is screened of a valid one is its host and path."""
    rules = Dispatchers(None).rules
    with pytest.raises(InvalidInput):
        rules.check(url)
    assert "hooks.example.org /path?to=x" == rules.check("https://hooks.example.org:8443/path?to=x")


def test_each_tenant_has_a_key_of_its_own() -> None:
    """The same each time, and no other's."""
    rules = Dispatchers(None).rules
    assert rules.key_of("one") == rules.key_of("one") != rules.key_of("two")

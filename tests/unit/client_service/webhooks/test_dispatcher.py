"""Callbacks: told by one of several doors, put off, given up with an alert, forgotten with their task."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from vestibule.alerts import Alert, AlertEngine
from vestibule.client_service.webhooks import repository
from vestibule.client_service.webhooks.dispatcher import WebhookDispatcher
from vestibule.client_service.webhooks.repository import WebhookRepository
from vestibule.client_service.webhooks.rules import WebhookRules
from vestibule.contracts.conditions import ALWAYS, Condition
from vestibule.contracts.entries import Deleted, Entry, KeyPage, Pair, Written
from vestibule.contracts.errors import InvalidInput
from vestibule.contracts.task_ledger import LedgerTask
from vestibule.contracts.tasks import Priority, TaskState
from vestibule.database_client.entries import EntryClient
from vestibule.database_client.tasks import TaskLedgerClient
from vestibule.database_service.entries.stores.memory import MemoryStore
from vestibule.egress.guard import DeliveryFailed, EgressGuard

URL = "https://hooks.example.org/path"


class DatabaseNearby(EntryClient):
    """The way to a store in this process."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def write(self, pair: Pair, condition: Condition = ALWAYS) -> Written:
        version = await self._store.write(pair.key, pair.value, expires_at=None, condition=condition)
        return Written(key=pair.key, version=version)

    async def read_many(self, keys: Sequence[str]) -> list[Entry | None]:
        return await self._store.read_many(keys)

    async def keys(self, prefix: str, limit: int, cursor: str | None) -> KeyPage:
        return await self._store.keys(prefix, limit, cursor)

    async def delete(self, key: str, condition: Condition = ALWAYS) -> Deleted:
        return Deleted(key=key, deleted=await self._store.delete(key, condition=condition))


class LedgerNearby(TaskLedgerClient):
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


class Hook(EgressGuard):
    """Takes what is posted, or does not."""

    posted: list[tuple[str, bytes, Mapping[str, str]]]
    takes = True

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        self.posted.append((url, body, headers))
        if not self.takes:
            raise DeliveryFailed("the answer was 503")


class Kept:
    """A channel that keeps what it gets."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def deliver(self, alert: Alert) -> None:
        self.alerts.append(alert)


class Place:
    """Two doors over one store."""

    def __init__(self, state: TaskState | None, give_up_after_s: float = 86_400) -> None:
        self.store = MemoryStore()
        self.ledger = LedgerNearby(state)
        self.hook = Hook(frozenset({"https"}), frozenset(), False, 1)
        object.__setattr__(self.hook, "posted", [])
        self.kept, self.outcomes = Kept(), list[str]()
        self.rules = WebhookRules("secret", self.hook, give_up_after_s)
        self.screeners = [self._screener() for _ in range(2)]

    def _screener(self) -> WebhookDispatcher:
        alerts = AlertEngine("client", {"kept": self.kept}, lambda *_: None)
        repository = WebhookRepository(DatabaseNearby(self.store))
        return WebhookDispatcher(repository, self.ledger, self.rules, alerts, self.outcomes.append)

    async def add_webhook(self) -> None:
        await WebhookRepository(DatabaseNearby(self.store)).add("0" * 36, "default", URL, -repository.FIRST_LOOK_S)

    async def pending(self) -> int:
        return len((await self.store.keys("callback/", 10, None)).keys)


async def test_of_several_doors_one_tells() -> None:
    """Both look at the same time; one post, without the result, and nothing is owed then."""
    place = Place(TaskState.SUCCEEDED)
    await place.add_webhook()
    await asyncio.gather(*(screener.look() for screener in place.screeners))
    ((url, body, headers),) = place.hook.posted
    assert (URL, "0" * 36, True) == (url, headers["Idempotency-Key"], b'"state": "succeeded"' in body)
    assert b"SEALED AWAY" not in body
    assert (["delivered"], 0) == (place.outcomes, await place.pending())


async def test_a_task_that_goes_on_is_waited_for() -> None:
    """Nothing is told before the end, and it is not looked at again at once."""
    place = Place(TaskState.RUNNING)
    await place.add_webhook()
    await place.screeners[0].look()
    place.ledger.state = TaskState.FAILED
    await place.screeners[0].look()
    assert ([], 1) == (place.hook.posted, await place.pending())


async def test_what_is_not_taken_is_owed_until_it_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused callback stays, later; when its time is over it is given up, with an alert."""
    place = Place(TaskState.DEAD)
    monkeypatch.setattr(Hook, "takes", False)
    await place.add_webhook()
    await place.screeners[0].look()
    await place.screeners[1].look()
    assert (["failed"], 1, 1) == (place.outcomes, len(place.hook.posted), await place.pending())

    late = Place(TaskState.DEAD, give_up_after_s=0)
    await late.add_webhook()
    await late.screeners[0].look()
    assert (["given_up"], 0) == (late.outcomes, await late.pending())
    assert ["DeliveryFailing"] == [alert.type.value for alert in late.kept.alerts]


async def test_a_callback_without_its_task_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at once, since the task may be recorded a moment later."""
    place = Place(None)
    await place.add_webhook()
    await place.screeners[0].look()
    assert 1 == await place.pending()
    monkeypatch.setattr("vestibule.client_service.webhooks.dispatcher.ORPHAN_AFTER_S", -1)
    await place.add_webhook()
    await place.screeners[1].look()
    assert ([], 0) == (place.hook.posted, await place.pending())


@pytest.mark.parametrize(
    "url", ["http://a.example/", "https://u:p@a.example/", "https:///x", "a.example", "https://ä/"]
)
def test_addresses_that_lead_nowhere_are_refused(url: str) -> None:
    """By scheme, login, host and characters; what is let pass is told apart from where it leads."""
    rules: Any = Place(None).rules
    with pytest.raises(InvalidInput):
        rules.check(url)
    assert "/path?to=x" == rules.check("https://hooks.example.org:8443/path?to=x")


def test_each_tenant_has_a_key_of_its_own() -> None:
    """The same each time, and no other's."""
    rules = Place(None).rules
    assert rules.key_of("one") == rules.key_of("one") != rules.key_of("two")

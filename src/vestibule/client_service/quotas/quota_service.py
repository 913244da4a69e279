"""Enforces quotas: admits requests and tasks by counters in memory, and exchanges these with other replicas.

Between two exchanges a replica does not know what the others admit: together they may exceed a limit by what they admit
in a second. Without Redis each replica has an equal share of the limit. The processes of one service on a machine are
replicas of each other too, and tell each other at once.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from vestibule.client_service.quotas.counters import Account, MinuteCounter, seconds_left
from vestibule.contracts.errors import QuotaExceeded, Unavailable
from vestibule.contracts.task_ledger import NewTask
from vestibule.contracts.tokens import Quota
from vestibule.runtime.background import in_background, repeat
from vestibule.service_kit.auth.authentication import Caller
from vestibule.service_kit.auth.token_uses import TokenUseLog

EXCHANGE_INTERVAL_S = 1.0
EXCHANGE_TIMEOUT_S = 0.5
# A replica that has not been heard of for so long does not count, and counters of the last minute are gone.
REPLICA_EXPIRES_S = 10
COUNTER_EXPIRES_S = 120
# Without an answer of Redis for so long the others are taken to be as busy as this replica.
ALONE_AFTER_S = 3.0
IDLE_AFTER_S = 120.0
# Tasks under way are counted while tasks come in.
COUNT_VALID_S = 2.0
COUNT_WHILE_SEEN_S = 10.0
RETRY_UNDER_WAY_S = 5
_REQUEST, _TASK = "request", "task"
REPLICAS, COUNTERS = "vestibule:replicas", "vestibule:quota:"


class AcceptTask(Protocol):
    """Accepts a task."""

    async def __call__(self, task: NewTask, callback: str | None = None) -> str:
        """Record a task and return its id; `callback` is notified of its end."""
        ...


class TaskCounter(Protocol):
    """Counts tasks that have not ended."""

    async def __call__(self, kind: str, name: str, limit: int) -> int:
        """Return how many tasks of a `token` or a `tenant` have not ended, at most `limit`."""
        ...


class QuotaService:
    """Admits what is within the quotas of a token and its tenant. Without a quota it is not asked."""

    def __init__(
        self,
        tenant_quotas: Callable[[], Mapping[str, Quota]],
        uses: TokenUseLog,
        now_s: Callable[[], float] = time.time,
        tell: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """Take what returns the quotas of tenants as they are now, and where refused requests are counted.

        `tell` gets what the other processes on this machine have to take in, by `count_nearby`.
        """
        self._tenant_quotas = tenant_quotas
        self._uses = uses
        self._now_s = now_s
        self._tell = tell
        self.tenants = tenant_quotas()
        self._accounts: dict[tuple[str, str], Account] = {}
        self._replica_id = secrets.token_hex(8)
        self._replicas = 1
        self._exchanged_at = now_s()
        self._count_tasks: TaskCounter | None = None
        self._counting = asyncio.Lock()

    def admit(self, caller: Caller) -> None:
        """Count a request of a caller that has a quota, or whose tenant has one.

        Raises:
            QuotaExceeded: one of them is used up for this minute.
        """
        now_s = self._now_s()
        accounts = []
        if caller.quota is not None:
            accounts.append(self._account("token", caller.token_id, caller.quota, now_s))
        if (quota := self.tenants.get(caller.tenant)) is not None:
            accounts.append(self._account("tenant", caller.tenant, quota, now_s))
        for account in accounts:
            self._check(account, "requests_per_minute", account.requests, caller.token_id)
        for account in accounts:
            account.requests.add()
            self._tell(f"{account.kind} {_REQUEST} {account.name}")

    async def admit_task(self, tenant: str, token_id: str | None) -> None:
        """Count a task that is about to be accepted; its request was admitted before.

        Raises:
            QuotaExceeded: the token or the tenant submits too many, or has too many that have not ended.
        """
        found = (self._accounts.get(("token", token_id or "")), self._accounts.get(("tenant", tenant)))
        accounts = [account for account in found if account is not None]
        for account in accounts:
            self._check(account, "tasks_per_minute", account.tasks, token_id)
            await self._check_under_way(account, token_id)
        for account in accounts:
            account.tasks.add()
            account.submitted += 1
            self._tell(f"{account.kind} {_TASK} {account.name}")

    def count_nearby(self, text: str) -> None:
        """Take in what another process on this machine has admitted."""
        kind, what, name = text.split(" ", 2)
        now_s = self._now_s()
        account = self._accounts.get((kind, name)) or self._account(kind, name, Quota(), now_s)
        counter = account.requests if what == _REQUEST else account.tasks
        counter.turn_to(now_s)
        counter.nearby += 1
        account.submitted += what == _TASK

    def guard(self, accept: AcceptTask) -> AcceptTask:
        """Return what accepts tasks as `accept` does, those over a quota excepted."""

        async def accept_within_quotas(task: NewTask, callback: str | None = None) -> str:
            await self.admit_task(task.tenant, task.terms.origin.token_id)
            return await accept(task, callback)

        return accept_within_quotas

    @asynccontextmanager
    async def running(self, redis: Redis, count_tasks: TaskCounter) -> AsyncIterator[None]:
        """Exchange the counters and count tasks that are under way while the context is open."""
        self._count_tasks = count_tasks
        log = structlog.get_logger("vestibule.quotas")

        def report(error: Exception) -> None:
            log.warning("quotas_not_exchanged", error=type(error).__name__)

        outages = (RedisError, OSError, TimeoutError, Unavailable)
        async with in_background(repeat(lambda: self._step(redis), on_error=report, outages=outages)):
            yield

    def _account(self, kind: str, name: str, quota: Quota, now_s: float) -> Account:
        account = self._accounts.get((kind, name))
        if account is None:
            account = self._accounts[kind, name] = Account(kind, name, quota)
        account.quota = quota
        account.seen_at = now_s
        return account

    def _check(self, account: Account, name: str, counter: MinuteCounter, token_id: str | None) -> None:
        limit: int | None = getattr(account.quota, name)
        now_s = self._now_s()
        if limit is None:
            return
        if now_s - self._exchanged_at > ALONE_AFTER_S:
            counter.turn_to(now_s)
            is_over = counter.own >= max(1, limit // self._replicas)
        else:
            is_over = counter.used(now_s) >= limit
        if is_over:
            self._refuse(account, name, limit, seconds_left(now_s), token_id)

    async def _check_under_way(self, account: Account, token_id: str | None) -> None:
        limit = account.quota.tasks_under_way
        if limit is None:
            return
        if self._now_s() - account.counted_at > COUNT_VALID_S:
            async with self._counting:
                if self._now_s() - account.counted_at > COUNT_VALID_S:
                    await self._count(account, limit)
        if account.under_way + account.submitted >= limit:
            self._refuse(account, "tasks_under_way", limit, RETRY_UNDER_WAY_S, token_id)

    def _refuse(self, account: Account, name: str, limit: int, retry_after_s: int, token_id: str | None) -> None:
        if token_id is not None:
            self._uses.refuse(token_id)
        detail = f"The quota `{name}` of the {account.kind}, {limit:,}, is used up. Retry later."
        raise QuotaExceeded(detail, retry_after_s, quota=name, of=account.kind, limit=limit)

    async def _step(self, redis: Redis) -> float:
        self.tenants = self._tenant_quotas()
        now_s = self._now_s()
        self._accounts = {key: one for key, one in self._accounts.items() if now_s - one.seen_at < IDLE_AFTER_S}
        if not self._accounts and not self.tenants:
            self._exchanged_at = now_s
            return EXCHANGE_INTERVAL_S
        async with asyncio.timeout(EXCHANGE_TIMEOUT_S):
            await self._exchange(redis, now_s)
        for account in list(self._accounts.values()):
            limit = account.quota.tasks_under_way
            if limit is not None and account.submitted and now_s - account.seen_at < COUNT_WHILE_SEEN_S:
                await self._count(account, limit)
        return EXCHANGE_INTERVAL_S

    async def _exchange(self, redis: Redis, now_s: float) -> None:
        sent: list[tuple[MinuteCounter, int, int]] = []
        pipeline = redis.pipeline(transaction=False)
        pipeline.zadd(REPLICAS, {self._replica_id: now_s})
        pipeline.zremrangebyscore(REPLICAS, "-inf", now_s - REPLICA_EXPIRES_S)
        pipeline.zcard(REPLICAS)
        pipeline.expire(REPLICAS, COUNTER_EXPIRES_S)
        for account in self._accounts.values():
            for name, counter in (("requests", account.requests), ("tasks", account.tasks)):
                counter.turn_to(now_s)
                if counter.own:
                    key = f"{COUNTERS}{account.kind}:{account.name}:{name}:{counter.minute}"
                    sent.append((counter, counter.minute, counter.unsent))
                    pipeline.incrby(key, counter.unsent)
                    pipeline.expire(key, COUNTER_EXPIRES_S)
        _, _, replicas, _, *answers = await pipeline.execute()
        for (counter, minute, unsent), total in zip(sent, answers[::2], strict=True):
            counter.conclude(minute, unsent, int(total))
        self._replicas, self._exchanged_at = max(1, int(replicas)), self._now_s()

    async def _count(self, account: Account, limit: int) -> None:
        if self._count_tasks is None:
            return
        before = account.submitted
        account.under_way = await self._count_tasks(account.kind, account.name, limit)
        # What was submitted meanwhile may not have been counted.
        account.submitted -= before
        account.counted_at = self._now_s()

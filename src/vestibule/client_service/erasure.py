"""The use case of erasing a subject: every stored value, token and result that contains its value."""

import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial

import structlog
from pydantic import BaseModel
from redis.asyncio import Redis
from redis.exceptions import RedisError

from vestibule.alerts import AlertEngine, AlertType, current_origin
from vestibule.client_service.queue.result_backend import RESULT_PREFIX
from vestibule.client_service.task_service.outcomes import LedgerSteps, open_outcome
from vestibule.client_service.task_service.schedule_service import ScheduleService
from vestibule.contracts.errors import Unavailable
from vestibule.contracts.identity import Principal
from vestibule.contracts.subjects import MAX_FORMS, ErasePage, SubjectSearch
from vestibule.database_client.entries import EntryClient
from vestibule.database_client.tasks import TaskLedgerClient
from vestibule.encryption import DecryptionFailed, Fingerprinter, KeyRingFile, Tokenizer
from vestibule.encryption.key_ring import Purpose
from vestibule.policy.document import Vocabulary
from vestibule.policy.policy import PolicyFile

# Values per page; fewer if they are long.
PAGE = 200

ErasePages = Callable[[list[str], int, str | None], Awaitable[ErasePage]]


class ErasedReply(BaseModel):
    """How much was searched, and how much was erased."""

    entries_examined: int
    entries_erased: int
    results_examined: int
    results_erased: int


class ValueForms:
    """Derives the forms of a value in stored data: tokens for every entity, tenant and key, and fingerprints."""

    def __init__(self, ring: KeyRingFile, vocabulary: Vocabulary, policies: PolicyFile) -> None:
        self._ring = ring
        self._vocabulary = vocabulary
        self._policies = policies
        self._fingerprinter = Fingerprinter(ring)
        self._tokenizer = Tokenizer(ring)

    def of(self, value: str, tenant: str) -> Iterator[str]:
        """Yield every form of `value` for a caller of `tenant`, apart from the plain text."""
        keys = self._ring.reload().usable(Purpose.FINGERPRINT)
        yield from self._fingerprinter.candidates(value, tenant, min(key.created_at for key in keys))
        for owner in sorted(self._policies.current.tenants | {tenant}):
            for entity in sorted(self._vocabulary.entities):
                yield from self._tokenizer.candidates(value, entity, owner)


@dataclass(frozen=True, slots=True)
class Erasure:
    """Erases everything that contains a value: as plain text, as a token, or as a keyed hash."""

    entries_for: Callable[[Principal], EntryClient]
    ledger: TaskLedgerClient
    schedules: ScheduleService
    redis: Redis
    steps: LedgerSteps
    forms: ValueForms
    alerts: AlertEngine

    async def erase(self, value: str, caller: Principal) -> ErasedReply:
        """Erase every entry and every result that contains `value` in any form, and return the counts.

        Raises:
            Unavailable: a service does not answer; what is erased stays erased, and the request can be repeated.
        """
        search = SubjectSearch([value, *self.forms.of(value, caller.tenant)])
        entries = await _erase_all(self.entries_for(caller).erase, search.forms)
        # Schedules count as entries: callers have stored them.
        schedules = await self.schedules.erase(caller.tenant, search)
        entries.examined += schedules.examined
        entries.erased += schedules.erased
        erase_tasks = partial(self.ledger.erase, caller.tenant)
        tasks = await _erase_all(erase_tasks, search.forms)
        cancelled, has_missed = await self._erase_results(search, caller.tenant)
        tasks.erased += cancelled
        if has_missed:
            tasks.erased += (await _erase_all(erase_tasks, search.forms)).erased
        if tasks.erased:
            # Such a task may have written its result to a key after the entries were searched, and no more now.
            entries.erased += (await _erase_all(self.entries_for(caller).erase, search.forms)).erased
        structlog.contextvars.bind_contextvars(entries_erased=entries.erased, results_erased=tasks.erased)
        await self.alerts.raise_alert(
            AlertType.SUBJECT_ERASED,
            f"A subject was erased: {entries.erased} entries and {tasks.erased} results are deleted.",
            **current_origin(),
        )
        return ErasedReply(
            entries_examined=entries.examined,
            entries_erased=entries.erased,
            results_examined=tasks.examined,
            results_erased=tasks.erased,
        )

    async def _erase_results(self, search: SubjectSearch, tenant: str) -> tuple[int, bool]:
        """Erase the results of a tenant in Redis that contain a subject. Most are copies of those in the ledger.

        A task whose result is not in the ledger yet is cancelled first: without its result it would run again. Return
        how many were, and whether a result has come into the ledger since that was searched.
        """
        cancelled, has_missed = 0, False
        try:
            async for key in self.redis.scan_iter(f"{RESULT_PREFIX}*", count=1000, _type="string"):
                task_id, content = key.decode().removeprefix(RESULT_PREFIX), await self.redis.get(key)
                if not isinstance(content, bytes):
                    continue  # expired in between
                try:
                    result = open_outcome(self.steps.cipher, task_id, content).result
                except DecryptionFailed:
                    continue  # without its key it is unreadable anyway
                if not await search.finds_among(result):
                    continue
                task = await self.ledger.find_any(task_id)
                if task is None or task.tenant != tenant:
                    continue
                if task.state.is_end:
                    has_missed |= task.result is not None
                else:
                    step = self.steps.after_cancel(task_id, time.time()).model_copy(update={"keep_data": False})
                    (is_cancelled,) = await self.ledger.change([step])
                    cancelled += is_cancelled
                    has_missed |= not is_cancelled
                await self.redis.delete(key)
        except (RedisError, OSError) as error:
            raise Unavailable("queue", "The queue does not answer.") from error
        return cancelled, has_missed


async def _erase_all(erase: ErasePages, forms: list[str]) -> ErasePage:
    """Erase all pages for all forms, as many forms at a time as a request takes."""
    most_examined = erased = 0
    for start in range(0, len(forms), MAX_FORMS):
        examined = 0
        cursor: str | None = None
        while True:
            page = await erase(forms[start : start + MAX_FORMS], PAGE, cursor)
            examined += page.examined
            erased += page.erased
            cursor = page.cursor
            if cursor is None:
                break
        most_examined = max(most_examined, examined)
    return ErasePage(examined=most_examined, erased=erased)

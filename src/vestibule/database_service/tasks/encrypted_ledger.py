"""Seals data and results of tasks before a ledger sees them, and opens what it gives back."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from vestibule.contracts.errors import Unavailable
from vestibule.contracts.task_ledger import LedgerTask, NewTask, Recorded, TaskChange
from vestibule.contracts.tasks import TaskState
from vestibule.contracts.work import WorkTerms
from vestibule.database_service.tasks.ledger import StoredTask, TaskLedger
from vestibule.encryption import Cipher, DecryptionFailed, key_id_of

REALM = "tasks"
DATA, RESULT = "data", "result"
# What data that comes with terms begins with: it was sealed as one text with them. It is no letter of base64.
WITH_TERMS = "~"
TERMS_AND_DATA = "terms and data"


@dataclass(frozen=True, slots=True)
class TaskWork:
    """What a task works on, and on which terms."""

    data: str
    terms: WorkTerms | None


class EncryptedTaskLedger:
    """A ledger over another, which keeps texts that it cannot read; each opens only as what it is of its own task."""

    def __init__(self, ledger: TaskLedger, cipher: Cipher) -> None:
        self._ledger = ledger
        self._cipher = cipher

    async def prepare(self) -> None:
        """Make what the ledger needs in its open store."""
        await self._ledger.prepare()

    async def accept(self, tasks: Sequence[NewTask]) -> list[Recorded]:
        """Record tasks that have data; they are on disk then."""
        return await self._ledger.accept([self._encrypt_task(task) for task in tasks])

    async def find(self, task_ids: Sequence[str]) -> list[LedgerTask]:
        """Return those of the tasks that are here.

        Raises:
            Unavailable: a result does not open.
        """
        return [self._open_task(task) for task in await self._ledger.find(task_ids)]

    async def claim(self, limit: int, lease_s: float) -> list[LedgerTask]:
        """Return unfinished tasks that are due, and make them due again after `lease_s`."""
        return await self._ledger.claim(limit, lease_s)

    async def read_data(self, task_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the data of tasks that still have some and open; of what does not open the log says why."""
        return {task_id: work.data for task_id, work in (await self.read_work(task_ids)).items()}

    async def read_work(self, task_ids: Sequence[str]) -> Mapping[str, TaskWork]:
        """Return data and terms of tasks that still have some and open; of what does not open the log says why."""
        opened: dict[str, TaskWork] = {}
        for task_id, text in (await self._ledger.read_data(task_ids)).items():
            try:
                opened[task_id] = _split(self._open(task_id, DATA, text), text)
            except DecryptionFailed as error:
                self._tell(task_id, error)
        return opened

    async def change(self, changes: Sequence[TaskChange]) -> list[bool]:
        """Take each step that may be taken; those are on disk then."""
        return await self._ledger.change([self._encrypt_change(step) for step in changes])

    async def page(
        self, tenant: str | None, states: Sequence[TaskState], limit: int, cursor: str | None
    ) -> tuple[list[LedgerTask], str | None]:
        """Return tasks, the newest first and without results, and where the next page starts."""
        return await self._ledger.page(tenant, states, limit, cursor)

    async def sweep(self, limit: int) -> int:
        """Remove results that have expired and tasks that are to be forgotten."""
        return await self._ledger.sweep(limit)

    async def read_kept(self, limit: int, cursor: str | None) -> tuple[list[StoredTask], str | None]:
        """Return the sealed texts of tasks that have some, and where the next page starts."""
        return await self._ledger.read_kept(limit, cursor)

    async def replace_kept(self, old: StoredTask, new: StoredTask) -> bool:
        """Put other sealed texts in place of a task's, unless they have changed meanwhile."""
        return await self._ledger.replace_kept(old, new)

    def open_kept(self, kept: StoredTask) -> StoredTask:
        """Return the texts of a task as they are.

        Raises:
            DecryptionFailed: one of them does not open.
        """
        return replace(kept, data=self._maybe_open(kept, DATA), result=self._maybe_open(kept, RESULT))

    async def reencrypt(self, kept: StoredTask) -> bool:
        """Seal the texts of a task with the active key, if another sealed one of them. Say whether it was done.

        Raises:
            DecryptionFailed: one of them does not open.
        """
        texts = [text for text in (kept.data, kept.result) if text is not None]
        if all(self._cipher.is_current(_unwrap(text)) for text in texts):
            return False
        opened = self.open_kept(kept)
        has_terms = kept.data is not None and kept.data.startswith(WITH_TERMS)
        data = None if opened.data is None else self._encrypt_data(kept.task_id, opened.data, has_terms)
        result = None if opened.result is None else self._encrypt(kept.task_id, RESULT, opened.result)
        return await self._ledger.replace_kept(kept, replace(kept, data=data, result=result))

    def _encrypt_task(self, task: NewTask) -> NewTask:
        data = task.data or ""
        if task.terms is None:
            return task.model_copy(update={"data": self._encrypt(task.task_id, DATA, data)})
        # One text, and so one seal and one column for both, which come and go together. JSON has no bare line break.
        both = f"{task.terms.model_dump_json(exclude_defaults=True)}\n{data}"
        encrypted = self._encrypt_data(task.task_id, both, has_terms=True)
        return task.model_copy(update={"data": encrypted, "terms": None})

    def _encrypt_change(self, step: TaskChange) -> TaskChange:
        if step.result is None:
            return step
        return step.model_copy(update={"result": self._encrypt(step.task_id, RESULT, step.result)})

    def _open_task(self, task: LedgerTask) -> LedgerTask:
        if task.result is None:
            return task
        try:
            return task.model_copy(update={"result": self._open(task.task_id, RESULT, task.result)})
        except DecryptionFailed as error:
            self._tell(task.task_id, error)
            raise Unavailable("database", "The result of this task cannot be opened.") from error

    def _maybe_open(self, kept: StoredTask, name: str) -> str | None:
        text: str | None = getattr(kept, name)
        return None if text is None else self._open(kept.task_id, name, text)

    def _encrypt(self, task_id: str, name: str, text: str) -> str:
        return base64.b64encode(self._cipher.encrypt(text.encode(), _place(task_id, name))).decode("ascii")

    def _encrypt_data(self, task_id: str, text: str, has_terms: bool) -> str:
        if not has_terms:
            return self._encrypt(task_id, DATA, text)
        return WITH_TERMS + self._encrypt(task_id, TERMS_AND_DATA, text)

    def _open(self, task_id: str, name: str, text: str) -> str:
        if name == DATA and text.startswith(WITH_TERMS):
            name = TERMS_AND_DATA
        return self._cipher.decrypt(_unwrap(text), _place(task_id, name)).decode()

    @staticmethod
    def _tell(task_id: str, error: DecryptionFailed) -> None:
        structlog.get_logger("vestibule.task_ledger").error("task_not_decrypted", task_id=task_id, reason=str(error))


def key_ids_of(kept: StoredTask) -> set[str]:
    """Return the ids of the keys that sealed a task's texts."""
    return {key_id_of(_unwrap(text)) for text in (kept.data, kept.result) if text is not None}


def _place(task_id: str, name: str) -> bytes:
    return f"{name} of {task_id}".encode()


def _split(opened: str, encrypted: str) -> TaskWork:
    if not encrypted.startswith(WITH_TERMS):
        return TaskWork(opened, None)
    terms, _, data = opened.partition("\n")
    return TaskWork(data, WorkTerms.model_validate_json(terms))


def _unwrap(text: str) -> bytes:
    try:
        return base64.b64decode(text.removeprefix(WITH_TERMS), validate=True)
    except (binascii.Error, ValueError):
        raise DecryptionFailed("it is not sealed") from None

"""Encrypts data and results of tasks before they reach a ledger, and decrypts what it returns."""

import base64
from collections.abc import Sequence
from dataclasses import replace

import structlog
from pydantic import ValidationError

from vestibule.contracts.task_ledger import LedgerTask, NewTask, Recorded, TaskChange, TaskData
from vestibule.contracts.tasks import NO_TERMS, WorkTerms
from vestibule.database_service.entries.encrypted_store import decode_ciphertext
from vestibule.database_service.tasks.ledger import StoredTask, TaskLedger
from vestibule.encryption import Cipher, DecryptionFailed, key_id_of

REALM = "tasks"
DATA, RESULT = "data", "result"


class EncryptedTaskLedger:
    """A ledger over another, which stores ciphertext only; a text decrypts only as its field of its task."""

    def __init__(self, ledger: TaskLedger, cipher: Cipher) -> None:
        self._ledger = ledger
        self._cipher = cipher
        # These carry no text, or ciphertext only.
        self.claim, self.page, self.counts = ledger.claim, ledger.page, ledger.counts
        self.count_unsent, self.find_of_request = ledger.count_unsent, ledger.find_of_request
        self.read_stored, self.replace_stored = ledger.read_stored, ledger.replace_stored

    async def accept(self, tasks: Sequence[NewTask]) -> list[Recorded]:
        """Record tasks that have data; they are on disk then."""
        return await self._ledger.accept([self._encrypt_task(task) for task in tasks])

    async def find(self, task_ids: Sequence[str], *, with_results: bool = True) -> list[LedgerTask]:
        """Return those of the tasks that exist; a result that cannot be decrypted is logged and left out."""
        found = await self._ledger.find(task_ids)
        if not with_results:
            return [task.model_copy(update={"result": None}) for task in found]
        return [self._decrypt_task(task) for task in found]

    async def read_work(self, task_ids: Sequence[str]) -> TaskData:
        """Return data and terms of tasks that have some; data that cannot be read is logged and left out."""
        work = TaskData(data={}, terms={}, unreadable=[])
        for task_id, text in (await self._ledger.read_data(task_ids)).items():
            try:
                stated, _, data = self._decrypt_text(task_id, DATA, text).partition("\n")
                terms = WorkTerms.model_validate_json(stated)
            except (DecryptionFailed, ValidationError) as error:
                is_foreign = isinstance(error, ValidationError)
                self._log_failure(task_id, "its terms are of another version" if is_foreign else str(error))
                work.unreadable.append(task_id)
            else:
                work.data[task_id], work.terms[task_id] = data, terms
        return work

    async def change(self, changes: Sequence[TaskChange]) -> list[bool]:
        """Apply each change that is allowed; those are on disk then."""
        return await self._ledger.change([self._encrypt_change(step) for step in changes])

    def decrypt_stored(self, stored: StoredTask) -> StoredTask:
        """Return a task with data and result decrypted; raises `DecryptionFailed` where that is not possible."""
        return replace(stored, data=self._decrypt_optional(stored, DATA), result=self._decrypt_optional(stored, RESULT))

    async def reencrypt(self, stored: StoredTask) -> bool:
        """Re-encrypt data and result of a task if one of them uses an older key; say whether it was done.

        Raises `DecryptionFailed` where one of them cannot be decrypted.
        """
        texts = [text for text in (stored.data, stored.result) if text is not None]
        if all(self._cipher.is_current(decode_ciphertext(text)) for text in texts):
            return False
        decrypted = self.decrypt_stored(stored)
        data = None if decrypted.data is None else self._encrypt(stored.task_id, DATA, decrypted.data)
        result = None if decrypted.result is None else self._encrypt(stored.task_id, RESULT, decrypted.result)
        return await self._ledger.replace_stored(stored, replace(stored, data=data, result=result))

    def _encrypt_task(self, task: NewTask) -> NewTask:
        # One ciphertext and one column for both, which are always read together. JSON has no bare line break.
        both = f"{task.terms.model_dump_json(exclude_defaults=True)}\n{task.data or ''}"
        return task.model_copy(update={"data": self._encrypt(task.task_id, DATA, both), "terms": NO_TERMS})

    def _encrypt_change(self, step: TaskChange) -> TaskChange:
        if step.result is None:
            return step
        return step.model_copy(update={"result": self._encrypt(step.task_id, RESULT, step.result)})

    def _decrypt_task(self, task: LedgerTask) -> LedgerTask:
        if task.result is None:
            return task
        try:
            return task.model_copy(update={"result": self._decrypt_text(task.task_id, RESULT, task.result)})
        except DecryptionFailed as error:
            self._log_failure(task.task_id, str(error))
            return task.model_copy(update={"result": None, "is_unreadable": True})

    def _decrypt_optional(self, stored: StoredTask, name: str) -> str | None:
        text: str | None = getattr(stored, name)
        return None if text is None else self._decrypt_text(stored.task_id, name, text)

    def _encrypt(self, task_id: str, name: str, text: str) -> str:
        return base64.b64encode(self._cipher.encrypt(text.encode(), _associated_data(task_id, name))).decode("ascii")

    def _decrypt_text(self, task_id: str, name: str, text: str) -> str:
        return self._cipher.decrypt(decode_ciphertext(text), _associated_data(task_id, name)).decode()

    @staticmethod
    def _log_failure(task_id: str, reason: str) -> None:
        structlog.get_logger("vestibule.task_ledger").error("task_not_decrypted", task_id=task_id, reason=reason)


def key_ids_of(stored: StoredTask) -> set[str]:
    """Return the ids of the encryption keys of a task's data and result."""
    return {key_id_of(decode_ciphertext(text)) for text in (stored.data, stored.result) if text is not None}


def _associated_data(task_id: str, name: str) -> bytes:
    return f"{name} of {task_id}".encode()

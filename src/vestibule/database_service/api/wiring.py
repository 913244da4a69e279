"""What the routes of the database service call; `main.py` builds it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends

from vestibule.database_service.entries.change_stream import ChangeStream
from vestibule.database_service.entries.store import Store
from vestibule.database_service.maintenance.reencrypt_entries import EntryReencryption
from vestibule.database_service.maintenance.task_maintenance import TaskMaintenance
from vestibule.database_service.tasks.acceptance import TaskAcceptance
from vestibule.database_service.tasks.completion import TaskCompletion
from vestibule.database_service.tasks.encrypted_ledger import EncryptedTaskLedger
from vestibule.service_kit.auth.authentication import Authenticator
from vestibule.service_kit.http.health import Readiness
from vestibule.service_kit.wiring import wired


@dataclass(frozen=True, slots=True)
class DatabaseWiring:
    """The parts of the service that its routes call."""

    authenticator: Authenticator
    readiness: Readiness
    store: Store
    entry_reencryption: EntryReencryption
    change_stream: ChangeStream
    task_ledger: EncryptedTaskLedger
    task_acceptance: TaskAcceptance
    task_completion: TaskCompletion
    task_maintenance: TaskMaintenance


WiringPart = Annotated[DatabaseWiring, Depends(wired(DatabaseWiring))]

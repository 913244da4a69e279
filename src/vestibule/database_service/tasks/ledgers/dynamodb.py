"""The ledger of tasks beside the DynamoDB store: a SQLite file of the service's own."""

from typing import cast

from vestibule.database_service.entries.store import Store
from vestibule.database_service.entries.stores.dynamodb import DynamoDbStore
from vestibule.database_service.tasks.ledger import LedgerKind
from vestibule.database_service.tasks.ledgers.sqlite import SqliteTaskLedger


def build(store: Store) -> SqliteTaskLedger:
    """Return the ledger in the open file of `store`."""
    return SqliteTaskLedger(cast(DynamoDbStore, store).task_file)


LEDGER = LedgerKind(DynamoDbStore, build)

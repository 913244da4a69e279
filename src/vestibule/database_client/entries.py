"""The client of entries in the database service."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import structlog
from pydantic import BaseModel, ValidationError

from vestibule.contracts.entries import (
    ALWAYS,
    MAX_BATCH,
    BatchPair,
    Condition,
    Deleted,
    Entry,
    EntryBatch,
    History,
    KeyPage,
    Pair,
    StoreDescription,
    Written,
    WrittenBatch,
)
from vestibule.contracts.identity import OPERATION, Principal
from vestibule.contracts.subjects import PAGE_TIMEOUT_S, ErasePage, EraseRequest, SubjectQuery
from vestibule.database_client.transport import SMALL_CHARS, DatabaseTransport
from vestibule.runtime.log_context import log_fields
from vestibule.runtime.turns import in_slices

Record = TypeVar("Record", bound=BaseModel)


class RecordReader(Generic[Record]):
    """Reads what services store as JSON. A record that is not valid is left out, and logged once: it hides no other."""

    def __init__(self, kind: type[Record]) -> None:
        self._kind = kind
        self._reported: dict[str, int] = {}

    def read(self, entry: Entry) -> Record | None:
        """Return the record in `entry`; None if it is not valid."""
        try:
            return self._kind.model_validate_json(entry.value)
        except ValidationError:
            if self._reported.get(entry.key) != entry.version and len(self._reported) < MAX_BATCH:
                self._reported[entry.key] = entry.version
                structlog.get_logger("vestibule.records").error("record_invalid", kind=self._kind.__name__)
            return None

    def read_each(self, entries: Iterable[Entry]) -> list[Record]:
        """Return the valid records."""
        return [record for entry in entries if (record := self.read(entry)) is not None]


class EntryClient:
    """Reads and writes the entries of one tenant on behalf of one principal: a caller, or a service with a reserved
    tenant that no token can have.

    Every method raises `Unavailable` where the database service does not answer or does not confirm a change.
    """

    def __init__(self, database: DatabaseTransport, principal: Principal) -> None:
        self._database = database
        self._principal = principal

    async def write(self, pair: Pair, condition: Condition = ALWAYS, operation: str | None = None) -> Written:
        """Write a pair and return its version; it is on disk then.

        With `operation` it is written once; a repetition within a day gets the first outcome.

        Raises:
            PreconditionFailed: the entry does not meet `condition`.
            TooLarge: the store does not accept a value of that size.
        """
        if condition is ALWAYS and operation is None:
            request_id = log_fields().get("request_id")
            database = self._database
            batcher = database.small_writes if len(pair.value) <= SMALL_CHARS else database.large_writes
            written = await batcher.submit((pair, self._principal, request_id))
        else:
            headers = condition.as_headers() | ({} if operation is None else {OPERATION: operation})
            written = await self._send("POST", "/write", body=pair.model_dump(exclude_none=True), headers=headers)
        return Written.model_validate({"key": pair.key, **written})

    async def write_batch(self, pairs: Sequence[BatchPair]) -> list[Written]:
        """Write all of `pairs` or none, and return their versions; they are on disk then.

        Raises:
            PreconditionFailed: an entry does not have the expected version; `index` says which.
            TooLarge: the store does not accept so many, or values of that size.
        """
        body = {"pairs": [pair.model_dump(exclude_none=True) async for pair in in_slices(pairs)]}
        return WrittenBatch.model_validate(await self._send("POST", "/write/batch", body=body)).written

    async def delete(self, key: str, condition: Condition = ALWAYS) -> Deleted:
        """Delete the entry under `key`.

        Raises:
            PreconditionFailed: the entry does not meet `condition`.
        """
        headers = condition.as_headers()
        return Deleted.model_validate(await self._send("DELETE", "/delete", query={"key": key}, headers=headers))

    async def keys(self, prefix: str, limit: int, cursor: str | None) -> KeyPage:
        """Return a page of the keys that start with `prefix`."""
        query = {"prefix": prefix, "limit": str(limit), "cursor": cursor}
        return KeyPage.model_validate(await self._send("GET", "/keys", query=query))

    async def get_store(self) -> StoreDescription:
        """Return the kind of the store, and how long it keeps what."""
        return StoreDescription.model_validate(await self._send("GET", "/store"))

    async def read(self, key: str) -> Entry:
        """Return the entry under `key`.

        Raises:
            KeyNotFound: there is none.
        """
        return Entry.model_validate(await self._send("GET", "/read", query={"key": key}))

    async def find(self, key: str) -> Entry | None:
        """Return the entry under `key`, or None where there is none."""
        return (await self.read_many([key]))[0]

    async def read_many(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return the entries under `keys`, at most a batch of them, in that order; None where there is none.

        Raises:
            TooLarge: together they are too large for one response.
        """
        return (await self.read_batch(list(keys))).entries if keys else []

    async def read_batch(self, keys: list[str]) -> EntryBatch:
        """Return the entries under `keys` as they are at one moment.

        Raises:
            TooLarge: together they are too large for one response.
        """
        return EntryBatch.model_validate(await self._send("POST", "/read/batch", body={"keys": keys}))

    async def read_readable(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return what `read_many` returns, and None for a value that cannot be decrypted: one hides no other."""
        if not keys:
            return []
        query, body = {"skip_unreadable": "true"}, {"keys": list(keys)}
        return EntryBatch.model_validate(await self._send("POST", "/read/batch", query=query, body=body)).entries

    async def read_all(self, prefix: str) -> list[Entry]:
        """Return the entries whose keys start with `prefix`, without values that cannot be decrypted."""
        found: list[Entry] = []
        cursor: str | None = None
        while True:
            page = await self.keys(prefix, MAX_BATCH, cursor)
            found += [entry for entry in await self.read_readable(page.keys) if entry is not None]
            cursor = page.cursor
            if cursor is None:
                return found

    async def history(self, key: str) -> History:
        """Return the history of the entry under `key`, the newest version first.

        Raises:
            KeyNotFound: it has none.
        """
        return History.model_validate(await self._send("GET", "/history", query={"key": key}))

    async def watch(self, prefix: str, last_event_id: str | None) -> AsyncIterator[bytes]:
        """Return the events of the entries that start with `prefix`, as they come; they end where the service stops."""
        seen = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
        headers = self._principal.headers | seen
        return await self._database.peer.stream("/watch", query={"prefix": prefix}, headers=headers)

    async def erase(self, request: EraseRequest, limit: int, cursor: str | None) -> ErasePage:
        """Erase from a page of entries, or of the records that a service keeps."""
        return await self._erase("/subjects/erase", request, limit, cursor)

    async def erase_ended(self, query: SubjectQuery, limit: int, cursor: str | None) -> ErasePage:
        """Erase from a page of deleted and expired keys."""
        return await self._erase("/subjects/erase-ended", query, limit, cursor)

    async def _erase(self, path: str, query: SubjectQuery, limit: int, cursor: str | None) -> ErasePage:
        page, body = {"limit": str(limit), "cursor": cursor}, query.model_dump(exclude_none=True)
        found = await self._send("POST", path, query=page, body=body, timeout_s=PAGE_TIMEOUT_S)
        return ErasePage.model_validate(found)

    async def _send(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **parts: Any) -> Any:
        named = {**self._principal.headers, **(headers or {})}
        return await self._database.send(method, path, headers=named, **parts)

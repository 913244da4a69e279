"""The client of entries in the database service."""

from collections.abc import AsyncIterator, Mapping, Sequence

from vestibule.contracts.conditions import ALWAYS, Condition
from vestibule.contracts.entries import (
    BatchPair,
    Deleted,
    Entry,
    EntryBatch,
    History,
    KeyPage,
    Pair,
    Written,
    WrittenBatch,
)
from vestibule.contracts.errors import KeyNotFound, PreconditionFailed, TooLarge, Unavailable
from vestibule.contracts.identity import OPERATION, Principal
from vestibule.contracts.subjects import PAGE_TIMEOUT_S, ErasePage
from vestibule.database_client.entry_writes import EntryWriter
from vestibule.service_kit.service_client import ServiceClient, ServiceResponse

PART = "database"


class EntryClient:
    """Reads and writes the entries of one tenant in the database service, on behalf of one caller."""

    def __init__(self, peer: ServiceClient, principal: Principal, writes: EntryWriter | None = None) -> None:
        """Take the peer, on whose behalf it is called, and what takes plain writes of all callers together."""
        self._peer = peer
        self._principal = principal
        self._writes = writes

    async def write(self, pair: Pair, condition: Condition = ALWAYS, operation: str | None = None) -> Written:
        """Write a pair and return its version; it is on disk then.

        With `operation` it is written once; a repetition within a day gets the first answer.

        Raises:
            PreconditionFailed: the entry does not meet `condition`.
            Unavailable: the database service does not confirm it.
        """
        if condition is ALWAYS and operation is None and self._writes is not None:
            return await self._writes.write(pair, self._principal)
        body = pair.model_dump(exclude_none=True)
        headers = {} if operation is None else {OPERATION: operation}
        answer = await self._call("POST", "/write", body=body, condition=condition, headers=headers)
        return Written.model_validate(_expect(answer, 200).body)

    async def write_batch(self, pairs: Sequence[BatchPair]) -> list[Written]:
        """Write all of `pairs` or none, and return their versions; they are on disk then.

        Raises:
            PreconditionFailed: an entry does not have the expected version; `index` says which.
            Unavailable: the database service does not confirm it.
        """
        body = {"pairs": [pair.model_dump(exclude_none=True) for pair in pairs]}
        answer = await self._call("POST", "/write/batch", body=body)
        return WrittenBatch.model_validate(_expect(answer, 200).body).written

    async def delete(self, key: str, condition: Condition = ALWAYS) -> Deleted:
        """Delete the entry under `key`.

        Raises:
            PreconditionFailed: the entry does not meet `condition`.
            Unavailable: the database service does not confirm it.
        """
        answer = await self._call("DELETE", "/delete", query={"key": key}, condition=condition)
        return Deleted.model_validate(_expect(answer, 200).body)

    async def keys(self, prefix: str, limit: int, cursor: str | None) -> KeyPage:
        """Return a page of the keys that start with `prefix`.

        Raises:
            Unavailable: the database service does not answer.
        """
        query = {"prefix": prefix, "limit": str(limit)} | ({} if cursor is None else {"cursor": cursor})
        return KeyPage.model_validate(_expect(await self._call("GET", "/keys", query=query), 200).body)

    async def read(self, key: str) -> Entry:
        """Return the entry under `key`.

        Raises:
            KeyNotFound: there is none.
            Unavailable: the database service does not answer.
        """
        answer = await self._call("GET", "/read", query={"key": key})
        if answer.status == 404:
            raise KeyNotFound("No entry has that key.")
        return Entry.model_validate(_expect(answer, 200).body)

    async def read_many(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return the entries under `keys`, at most a batch of them, in that order; None where there is none.

        Raises:
            TooLarge: together they are too large for one answer.
            Unavailable: the database service does not answer.
        """
        return (await self.read_batch(list(keys))).entries if keys else []

    async def read_batch(self, keys: list[str]) -> EntryBatch:
        """Return the entries under `keys` as they are at one moment.

        Raises:
            TooLarge: together they are too large for one answer.
            Unavailable: the database service does not answer.
        """
        answer = await self._call("POST", "/read/batch", body={"keys": keys})
        if answer.status == 413:
            raise TooLarge("The values are too large for one response; read fewer keys at once.")
        return EntryBatch.model_validate(_expect(answer, 200).body)

    async def history(self, key: str) -> History:
        """Return the history of the entry under `key`, the newest version first.

        Raises:
            KeyNotFound: it has none.
            Unavailable: the database service does not answer.
        """
        answer = await self._call("GET", "/history", query={"key": key})
        if answer.status == 404:
            raise KeyNotFound("No entry has that key, and it has no history.")
        return History.model_validate(_expect(answer, 200).body)

    async def watch(self, prefix: str, last_event_id: str | None) -> AsyncIterator[bytes]:
        """Return the events of the entries that start with `prefix`, as they come.

        Raises:
            Unavailable: the database service does not answer; where it stops later, the events end.
        """
        seen = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
        headers = self._principal.as_headers() | seen
        return await self._peer.stream("/watch", query={"prefix": prefix}, headers=headers)

    async def erase(self, forms: list[str], limit: int, cursor: str | None) -> ErasePage:
        """Erase the entries of a page that hold one of `forms`.

        Raises:
            Unavailable: the database service does not confirm it.
        """
        query = {"limit": str(limit)} if cursor is None else {"limit": str(limit), "cursor": cursor}
        answer = await self._call(
            "POST", "/subjects/erase", query=query, body={"forms": forms}, timeout_s=PAGE_TIMEOUT_S
        )
        return ErasePage.model_validate(_expect(answer, 200).body)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        condition: Condition = ALWAYS,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> ServiceResponse:
        said = {**self._principal.as_headers(), **condition.as_headers(), **(headers or {})}
        return await self._peer.call(method, path, query=query, body=body, headers=said, timeout_s=timeout_s)


def _expect(answer: ServiceResponse, status: int) -> ServiceResponse:
    if answer.status == 412:
        place = {"index": answer.body["index"]} if "index" in answer.body else {}
        raise PreconditionFailed(answer.body["current_version"], **place)
    # Every value was validated by the same rules before, so a refusal means that the two services are incompatible.
    if answer.status != status:
        raise Unavailable(PART, f"The database service refused the request ({answer.status}).")
    return answer

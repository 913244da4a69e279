"""Reads and writes entries that belong to a service, not to a caller."""

from collections.abc import Mapping, Sequence
from typing import Any

from vestibule.contracts.conditions import ALWAYS, Condition
from vestibule.contracts.entries import MAX_BATCH, BatchPair, Entry, Pair
from vestibule.contracts.errors import PreconditionFailed, Unavailable
from vestibule.contracts.identity import Principal
from vestibule.service_kit.service_client import ServiceClient


class ServiceEntries:
    """The entries of one owner, under a reserved tenant that no token can reach."""

    def __init__(self, peer: ServiceClient, owner: Principal) -> None:
        self._peer = peer
        self._owner = owner

    async def read(self, key: str) -> Entry | None:
        """Return the entry under `key`, or None where there is none.

        Raises:
            Unavailable: the store does not answer.
        """
        return (await self.read_many([key]))[0]

    async def read_many(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return the entries under `keys`, at most a batch of them, in that order. Raises what `read` raises."""
        if not keys:
            return []
        found = (await self._call("POST", "/read/batch", body={"keys": list(keys)}))["entries"]
        return [None if entry is None else Entry.model_validate(entry) for entry in found]

    async def read_all(self, prefix: str) -> list[Entry]:
        """Return the entries whose keys begin with `prefix`. Raises what `read` raises."""
        found: list[Entry] = []
        cursor: str | None = None
        while True:
            query = {"prefix": prefix, "limit": str(MAX_BATCH)} | ({} if cursor is None else {"cursor": cursor})
            page = await self._call("GET", "/keys", query=query)
            found += [entry for entry in await self.read_many(page["keys"]) if entry is not None]
            cursor = page.get("cursor")
            if cursor is None:
                return found

    async def write(self, key: str, value: str, condition: Condition = ALWAYS, ttl_s: float | None = None) -> int:
        """Write `value` and return its version; it is on disk then.

        Raises:
            PreconditionFailed: the entry does not meet `condition`.
            Unavailable: the store does not confirm it.
        """
        body = Pair(key=key, value=value, ttl_s=ttl_s).model_dump(exclude_none=True)
        return int((await self._call("POST", "/write", body=body, condition=condition))["version"])

    async def write_many(self, pairs: Sequence[BatchPair]) -> list[int]:
        """Write all of `pairs` or none, and return their versions. Raises what `write` raises."""
        body = {"pairs": [pair.model_dump(exclude_none=True) for pair in pairs]}
        return [one["version"] for one in (await self._call("POST", "/write/batch", body=body))["written"]]

    async def delete(self, key: str, condition: Condition = ALWAYS) -> bool:
        """Delete the entry under `key`; False where there was none. Raises what `write` raises."""
        return bool((await self._call("DELETE", "/delete", query={"key": key}, condition=condition))["deleted"])

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        condition: Condition = ALWAYS,
    ) -> Any:
        headers = {**self._owner.as_headers(), **condition.as_headers()}
        answer = await self._peer.call(method, path, query=query, body=body, headers=headers)
        if answer.status == 412:
            raise PreconditionFailed(answer.body["current_version"])
        # These requests are well-formed, so a refusal means that the two services do not fit together.
        if answer.status != 200:
            raise Unavailable("database", f"The database service refused the request ({answer.status}).")
        return answer.body

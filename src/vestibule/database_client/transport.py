"""The transport to the database service: sends every request, and maps every refusal to a named error."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vestibule.contracts.entries import MAX_WRITES, Pair
from vestibule.contracts.errors import KeyNotFound, PreconditionFailed, TooLarge, Unavailable, VestibuleError
from vestibule.contracts.identity import Principal
from vestibule.runtime.batching import Batcher, json_bytes
from vestibule.service_kit.service_client import ServiceClient, ServiceResponse

PART = "database"
# The most bytes of values in one request; a longer value is sent alone.
HEAVIEST = 400_000
# A longer value is not weighed with the small ones, and none of them waits for it.
SMALL_CHARS = 4_096
# A control character takes six bytes in JSON.
MOST_BYTES_OF_A_CHARACTER = 6

# A pair, who writes it, and the id of the request that it belongs to.
PlainWrite = tuple[Pair, Principal, str | None]


class DatabaseTransport:
    """Sends requests for all principals of a service over one connected `ServiceClient`."""

    def __init__(self, peer: ServiceClient) -> None:
        self.peer = peer
        # A batch that waits for another may take as long again.
        self.batch_timeout_s = peer.timeout_s / 2
        # Unconditional writes of all principals: concurrent ones share a request, and each has an outcome of its own.
        # Those that arrive during a request share the next one. A second request at the same time would take some of
        # them, and its own work costs more than theirs: with one, an `/add` at 100 connections took 0.88 times the CPU
        # of the client service and 0.61 times that of the database service (docs/performance.md).
        self.small_writes = self._batcher(lambda write: MOST_BYTES_OF_A_CHARACTER * len(write[0].value))
        self.large_writes = self._batcher(lambda write: json_bytes(write[0].value))

    def _batcher(self, weigh: Callable[[PlainWrite], int]) -> Batcher[PlainWrite, dict[str, Any]]:
        return Batcher(
            self._write_plain,
            most=MAX_WRITES,
            weigh=weigh,
            heaviest=HEAVIEST,
            at_once=1,
            timeout_s=self.batch_timeout_s,
        )

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | None] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        """Send a request and return the body of the response; parameters of `query` that are None are left out.

        Raises:
            KeyNotFound: there is no such entry.
            PreconditionFailed: the entry does not meet the condition; `index` says which of a batch.
            TooLarge: a value, or what was asked for, is over a limit of the store.
            Unavailable: the service does not confirm it, or refuses the request for another reason.
        """
        present = query if query is None else {name: value for name, value in query.items() if value is not None}
        answer = await self.peer.call(method, path, query=present, body=body, headers=headers, timeout_s=timeout_s)
        if answer.status != 200:
            raise _refusal_of(answer)
        return answer.body

    async def _write_plain(self, writes: list[PlainWrite]) -> Sequence[dict[str, Any] | Exception]:
        """Return the version and expiry of each write, or the error that it failed with."""
        bodies = [{"key": pair.key, "value": pair.value, "ttl_s": pair.ttl_s} for pair, _, _ in writes]
        if len(writes) == 1:
            answer = await self.peer.call("POST", "/write", body=bodies[0], headers=writes[0][1].headers)
            if answer.status != 200:
                raise _refusal_of(answer)
            return [answer.body]
        # A `BatchedWrite` each, which the service validates.
        batch = [
            {"pair": body, "tenant": principal.tenant, "sender": principal.token_id, "request_id": request_id}
            for body, (_, principal, request_id) in zip(bodies, writes, strict=True)
        ]
        outcomes = (await self.send("POST", "/write/independent", body={"writes": batch}))["outcomes"]
        return [one if one.get("problem") is None else _error_of(one["problem"], one, 200) for one in outcomes]


def _refusal_of(answer: ServiceResponse) -> VestibuleError:
    problem = answer.body if isinstance(answer.body, dict) else {}
    return _error_of(str(problem.get("type")).rpartition("/")[2], problem, answer.status)


def _error_of(name: str, problem: Mapping[str, Any], status: int) -> VestibuleError:
    detail = str(problem.get("detail"))
    if name == PreconditionFailed.slug:
        place = {"index": problem["index"]} if "index" in problem else {}
        return PreconditionFailed(problem["current_version"], **place)
    if name == KeyNotFound.slug:
        return KeyNotFound(detail)
    if name == TooLarge.slug:
        return TooLarge(detail)
    if name == Unavailable.slug:
        return Unavailable(PART, detail)
    # Both services validate by the same rules, so any other refusal means that their versions are incompatible.
    return Unavailable(PART, f"The database service refused the request ({status}).")

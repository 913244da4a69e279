"""`Idempotency-Key`: a request that is repeated under the same key gets the first answer, and has no second effect.

Source: the rules of Stripe's API ("Idempotent requests"), and the IETF draft "The Idempotency-Key HTTP Header Field".
"""

import hashlib
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from vestibule.client_service.intake.keyed_names import KeyedNames
from vestibule.client_service.intake.operation import operation_id
from vestibule.contracts.conditions import Condition
from vestibule.contracts.entries import MAX_VALUE_BYTES, Entry, Pair
from vestibule.contracts.errors import (
    Conflict,
    IdempotencyKeyReused,
    InvalidInput,
    KeyNotFound,
    NotFound,
    PreconditionFailed,
    Refused,
    RequestInProgress,
    VestibuleError,
)
from vestibule.contracts.identity import Principal
from vestibule.database_client.entries import EntryClient
from vestibule.service_kit.auth.authentication import Caller

HEADER = "idempotency-key"
REPLAYED = "Idempotency-Replayed"
OWNER = Principal("~idempotency")
MAX_KEY_CHARS = 255
KEPT_FOR_S = 86_400.0
# A request that was begun and not finished for so long has died with its process, and may be taken up again.
ABANDONED_AFTER_S = 60.0

# Whoever is told one of these knows that nothing happened.
WITHOUT_EFFECT = (Refused, NotFound, Conflict, PreconditionFailed, RequestValidationError, HTTPException)


class IdempotencyRecord(BaseModel):
    """What is kept of a request: the digest of what it asks, the id of its effect, and the answer when there is one."""

    digest: str
    task_id: str
    begun_at: float
    # When it came for the first time; records of earlier versions lack it.
    first_at: float | None = None
    status: int | None = None
    media_type: str | None = None
    body: str = ""


@dataclass(frozen=True, slots=True)
class _Begun:
    """An attempt that is this request's own to finish."""

    name: str
    version: int
    attempt: IdempotencyRecord
    is_again: bool


Serve = Callable[[Request], Awaitable[Response]]


class Idempotency:
    """Keeps the answers to repeatable requests in the store, sealed like values, and by keyed names only."""

    def __init__(self, database_of: Callable[[Principal], EntryClient], names: KeyedNames) -> None:
        self._database = database_of(OWNER)
        self._names = names

    async def answer(self, request: Request, key: str, serve: Serve) -> Response:
        """Serve a request, or return the answer that it was given before.

        What was refused is not kept: nothing happened, and the same request may do better later. Where a part did not
        answer, nobody knows whether anything happened: the id of the effect stays, under which it happens once.

        Raises:
            InvalidInput: the key is malformed.
            IdempotencyKeyReused: the key came with another request before.
            RequestInProgress: the same request is being served at the moment.
        """
        if not 0 < len(key) <= MAX_KEY_CHARS or not key.isprintable():
            mistake = {"where": "header/Idempotency-Key", "kind": "idempotency_key", "expected": "1 to 255 characters"}
            raise InvalidInput("The header `Idempotency-Key` is not valid.", errors=[mistake])
        found = await self._begin(request, key)
        if isinstance(found, IdempotencyRecord):
            headers = {REPLAYED: "true"}
            return Response(found.body, found.status or 200, headers, found.media_type)
        token = operation_id.set(found.attempt.task_id)
        try:
            answer = await serve(request)
        except Exception as error:
            await self._end(found, has_no_effect=isinstance(error, WITHOUT_EFFECT))
            raise
        finally:
            operation_id.reset(token)
        await self._keep(found, answer)
        return answer

    async def _begin(self, request: Request, key: str) -> IdempotencyRecord | _Begun:
        caller: Caller = request.state.caller
        digest = await _digest(request)
        names = self._names.of("idempotency", caller.tenant, caller.name, key, since_s=KEPT_FOR_S)
        for name in names:
            if (entry := await self._read(name)) is not None:
                return await self._take_up(name, entry, digest)
        now = time.time()
        attempt = IdempotencyRecord(digest=digest, task_id=str(uuid4()), begun_at=now, first_at=now)
        return _Begun(names[0], await self._write(names[0], attempt, 0), attempt, is_again=False)

    async def _take_up(self, name: str, entry: Entry, digest: str) -> IdempotencyRecord | _Begun:
        try:
            attempt = IdempotencyRecord.model_validate_json(entry.value)
        except ValidationError:
            raise RequestInProgress("The recorded response of this key cannot be read; use a new key.") from None
        if attempt.digest != digest:
            raise IdempotencyKeyReused("The key was sent with another request before; use a new key for each request.")
        if attempt.status is not None:
            return attempt
        if time.time() - attempt.begun_at < ABANDONED_AFTER_S:
            raise RequestInProgress("A request with this key is in progress; retry a little later.")
        first_at = attempt.begun_at if attempt.first_at is None else attempt.first_at
        again = attempt.model_copy(update={"begun_at": time.time(), "first_at": first_at})
        return _Begun(name, await self._write(name, again, entry.version), again, is_again=True)

    async def _read(self, name: str) -> Entry | None:
        try:
            return await self._database.read(name)
        except KeyNotFound:
            return None

    async def _write(self, name: str, attempt: IdempotencyRecord, expected: int) -> int:
        # What came of its effect is remembered from the first time on, so the id is of no use for longer.
        age_s = time.time() - (attempt.first_at or 0.0) if attempt.status is None else 0.0
        pair = Pair(key=name, value=attempt.model_dump_json(), ttl_s=max(1.0, KEPT_FOR_S - age_s))
        try:
            written = await self._database.write(pair, Condition.of_version(expected))
        except PreconditionFailed:
            raise RequestInProgress("A request with this key is in progress; retry a little later.") from None
        return written.version

    async def _end(self, begun: _Begun, *, has_no_effect: bool) -> None:
        """Let the request be served anew: as if it had never come, or under the id that its effect may have.

        Where this fails, that is so after the time in which it would be abandoned.
        """
        with suppress(VestibuleError):
            # An earlier try may have had the effect that this one had not.
            if has_no_effect and not begun.is_again:
                await self._database.delete(begun.name)
            else:
                await self._write(begun.name, begun.attempt.model_copy(update={"begun_at": 0.0}), begun.version)

    async def _keep(self, begun: _Begun, answer: Response) -> None:
        body = bytes(answer.body).decode()
        if answer.status_code >= 300 or len(body) > MAX_VALUE_BYTES // 2:
            await self._end(begun, has_no_effect=answer.status_code < 500)
            return
        done = {"status": answer.status_code, "media_type": answer.media_type, "body": body}
        await self._write(begun.name, begun.attempt.model_copy(update=done), begun.version)


async def _digest(request: Request) -> str:
    asked = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    return hashlib.sha256(asked + await request.body()).hexdigest()

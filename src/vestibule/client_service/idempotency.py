"""`Idempotency-Key`: a request that is repeated with the same key gets the first reply, and has no second effect.

Source: the rules of Stripe's API ("Idempotent requests"), and the IETF draft "The Idempotency-Key HTTP Header Field".
"""

import hashlib
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from vestibule.client_service.intake.work import keyed_names, new_operation_id, operation_id
from vestibule.contracts.entries import MATCH, MAX_VALUE_BYTES, NONE_MATCH, Condition, Entry, Pair
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
from vestibule.encryption import Fingerprinter
from vestibule.service_kit.auth.authentication import Caller
from vestibule.service_kit.fast_dispatch.dispatch_plan import NeedsFramework

HEADER = "idempotency-key"
_BOUNDARY = re.compile(r"^multipart/[^;]*;.*\bboundary=\"?([^\";\s]{8,})", re.IGNORECASE)
REPLAYED = "Idempotency-Replayed"
KEPT_HEADERS = ("ETag", "Location", "Preference-Applied")
OWNER = Principal("~idempotency")
MAX_KEY_CHARS = 255
TTL_S = 86_400.0
# Takes the place of a record whose reply was erased: no record, so a repetition is refused and has no second effect.
ERASED = '{"erased": true}'
# A request that has not finished after this time was aborted with its process, and may be retried.
ABANDONED_AFTER_S = 60.0

# After one of these errors the request has had no effect. `NeedsFramework` leaves the request to the other dispatch.
WITHOUT_EFFECT = (
    *(Refused, NotFound, Conflict, PreconditionFailed),
    *(RequestValidationError, HTTPException, NeedsFramework),
)


class IdempotencyRecord(BaseModel):
    """The record of a request: the digest of its content, the id of its effect, and its reply when there is one."""

    digest: str
    task_id: str
    # Of whom it is; records of earlier revisions, which are kept for a day, do not say.
    tenant: str = ""
    begun_at: float
    # When the request came for the first time; `begun_at` is the start of its last attempt.
    first_at: float
    status: int | None = None
    media_type: str | None = None
    body: str = ""
    # Those of the reply that say something about its content.
    headers: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """An attempt that this request owns."""

    name: str
    version: int
    record: IdempotencyRecord
    is_retry: bool


Serve = Callable[[Request], Awaitable[Response]]


async def _body_of(request: Request) -> bytes:
    """Return the body; without the boundary between its parts, which a browser makes anew for each repetition."""
    content = await request.body()
    boundary = _BOUNDARY.search(request.headers.get("content-type", ""))
    return content.replace(boundary[1].encode("latin-1"), b"") if boundary else content


@dataclass(frozen=True, slots=True)
class Idempotency:
    """Stores the replies to repeatable requests, encrypted like values, under keyed names."""

    database: EntryClient
    fingerprinter: Fingerprinter

    async def serve_once(self, request: Request, key: str, serve: Serve) -> Response:
        """Serve a request, or return its stored reply.

        A rejection is not stored: it had no effect, and the same request may succeed later. If a service did not
        answer, the effect is unknown: the record keeps the operation id, so that the effect happens once.

        Raises:
            InvalidInput: the key is malformed.
            IdempotencyKeyReused: the key was used with another request.
            RequestInProgress: the same request is in progress.
        """
        if not 0 < len(key) <= MAX_KEY_CHARS or not key.isprintable():
            mistake = {"where": "header/Idempotency-Key", "kind": "idempotency_key", "expected": "1 to 255 characters"}
            raise InvalidInput("The header `Idempotency-Key` is not valid.", errors=[mistake])
        found = await self._start(request, key)
        if isinstance(found, IdempotencyRecord):
            return Response(found.body, found.status or 200, {**found.headers, REPLAYED: "true"}, found.media_type)
        token = operation_id.set(found.record.task_id)
        try:
            reply = await serve(request)
        except Exception as error:
            await self._release(found, has_no_effect=isinstance(error, WITHOUT_EFFECT))
            raise
        finally:
            operation_id.reset(token)
        await self._store(found, reply)
        return reply

    async def _start(self, request: Request, key: str) -> IdempotencyRecord | _Attempt:
        caller: Caller = request.state.caller
        content = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
        # The condition decides what the request does, as its body does.
        stated = [f"{name}: {request.headers.get(name, '')}\n".encode() for name in (MATCH, NONE_MATCH)]
        digest = hashlib.sha256(b"".join([content, *stated, await _body_of(request)])).hexdigest()
        parts = ("idempotency", caller.tenant, caller.name, key)
        names = keyed_names(self.fingerprinter, *parts, since_s=TTL_S)
        for name in names:
            with suppress(KeyNotFound):
                return await self._resume(name, await self.database.read(name), digest)
        now = time.time()
        record = IdempotencyRecord(
            digest=digest, task_id=new_operation_id(), tenant=caller.tenant, begun_at=now, first_at=now
        )
        return _Attempt(names[0], await self._write(names[0], record, 0), record, is_retry=False)

    async def _resume(self, name: str, entry: Entry, digest: str) -> IdempotencyRecord | _Attempt:
        try:
            record = IdempotencyRecord.model_validate_json(entry.value)
        except ValidationError:
            raise RequestInProgress("The recorded reply of this key cannot be read; use a new key.") from None
        if record.digest != digest:
            raise IdempotencyKeyReused("The key was sent with another request before; use a new key for each request.")
        if record.status is not None:
            return record
        if time.time() - record.begun_at < ABANDONED_AFTER_S:
            raise RequestInProgress("A request with this key is in progress; retry a little later.")
        retried = record.model_copy(update={"begun_at": time.time()})
        return _Attempt(name, await self._write(name, retried, entry.version), retried, is_retry=True)

    async def _write(self, name: str, record: IdempotencyRecord, expected: int) -> int:
        # The record expires a day after the first request, as the effect's own record does.
        age_s = time.time() - record.first_at if record.status is None else 0.0
        pair = Pair(key=name, value=record.model_dump_json(), ttl_s=max(1.0, TTL_S - age_s))
        try:
            written = await self.database.write(pair, Condition.of_version(expected))
        except PreconditionFailed:
            raise RequestInProgress("A request with this key is in progress; retry a little later.") from None
        return written.version

    async def _release(self, attempt: _Attempt, *, has_no_effect: bool) -> None:
        """Release the key: without a record, or with a record that keeps the operation id.

        If this fails, the key is released when the attempt counts as abandoned.
        """
        with suppress(VestibuleError):
            # An earlier attempt may have had the effect.
            if has_no_effect and not attempt.is_retry:
                await self.database.delete(attempt.name)
            else:
                await self._write(attempt.name, attempt.record.model_copy(update={"begun_at": 0.0}), attempt.version)

    async def _store(self, attempt: _Attempt, reply: Response) -> None:
        body = bytes(reply.body).decode()
        if reply.status_code >= 300 or len(body) > MAX_VALUE_BYTES // 2:
            await self._release(attempt, has_no_effect=reply.status_code < 500)
            return
        headers = {name: reply.headers[name] for name in KEPT_HEADERS if name in reply.headers}
        done = {"status": reply.status_code, "media_type": reply.media_type, "body": body, "headers": headers}
        await self._write(attempt.name, attempt.record.model_copy(update=done), attempt.version)

"""Request models of work for processors, its terms, and the names by which repeated work is recognized."""

import hashlib
import json
import secrets
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from vestibule.client_service.intake.message_routing import Mode
from vestibule.contracts.entries import Key, Value
from vestibule.contracts.identity import DEFAULT_TENANT
from vestibule.contracts.json_types import Number, Timestamp, not_both
from vestibule.contracts.tasks import DEFAULT_PROCESSOR, Priority, WorkOrigin, WorkTerms
from vestibule.encryption import Fingerprinter
from vestibule.policy import Situation
from vestibule.runtime.log_context import log_fields

# The id of the task or write that a request with an `Idempotency-Key` creates, the same for each repetition; None
# without that header.
operation_id: ContextVar[str | None] = ContextVar("operation_id", default=None)


def new_operation_id() -> str:
    """Return an id that no other request has; those of later milliseconds sort after it.

    Source: RFC 9562, section 5.7 (UUID version 7).
    """
    milliseconds, random = time.time_ns() // 1_000_000, secrets.randbits(74)
    high, low = random >> 62, random & (1 << 62) - 1
    return str(UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low))


MAX_DELAY_S = 366 * 86_400
MAX_OPTIONS_CHARS = 16_384


class ProcessorChoice(BaseModel):
    """The processor, its options, and the key of the result."""

    model_config = ConfigDict(extra="forbid")

    processor: str = Field(default=DEFAULT_PROCESSOR, max_length=100, examples=[DEFAULT_PROCESSOR])
    options: dict[str, Any] = Field(
        default={},
        description="Options of the processor, which `GET /processors` describes; screened like a value",
        examples=[{}],
    )
    write_to: Key | None = Field(
        default=None, description="The result is written under this key, once, when the work has succeeded"
    )

    @field_validator("options")
    @classmethod
    def _check_options(cls, options: dict[str, Any]) -> dict[str, Any]:
        try:
            text = _as_json(options)
            text.encode()
        except (ValueError, RecursionError):
            raise ValueError("must be JSON of valid Unicode and finite numbers, without deep nesting") from None
        if len(text) > MAX_OPTIONS_CHARS:
            raise ValueError(f"must be at most {MAX_OPTIONS_CHARS:,} characters as JSON")
        return options

    @cached_property
    def options_text(self) -> str | None:
        """The options as canonical JSON; None if there are none."""
        return _as_json(self.options) if self.options else None

    def situation_of_result(self, sender: Situation) -> Situation:
        """Return the situation in which a result is screened: under its own key, if the request names one."""
        return sender if self.write_to is None else sender._replace(key=self.write_to)

    def terms_for(self, sender: Situation, key: str | None) -> WorkTerms:
        """Return the terms of work over the value under `key`, or over a text if `key` is None."""
        origin = WorkOrigin.model_construct(
            route=sender.route,
            tenant=sender.tenant,
            token_id=sender.token_id,
            token_name=sender.token_name,
            key=self.write_to or key,
        )
        # Its members were validated before.
        request_id = log_fields().get("request_id")
        return WorkTerms.model_construct(
            options=self.options, write_to=self.write_to, origin=origin, request_id=request_id
        )


class WorkRequest(ProcessorChoice):
    """Work for the background: the processor, its options, the priority, the time, and where the result goes."""

    model_config = ConfigDict(json_schema_extra=not_both("delay_s", "run_at"))

    priority: Priority = Field(
        default=Priority.NORMAL, description="Workers run all tasks of the tenant that have a higher priority first"
    )
    delay_s: Number | None = Field(default=None, ge=0, le=MAX_DELAY_S, description="Seconds until it runs")
    run_at: Timestamp | None = Field(default=None, description="When it runs, instead of `delay_s`")
    unique_for_s: Number | None = Field(
        default=None,
        gt=0,
        le=MAX_DELAY_S,
        description="For this many seconds the same request returns this task instead of a new one",
    )
    callback: str | None = Field(
        default=None,
        max_length=2000,
        # Without an example, because examples must be valid requests and webhooks are off without a secret.
        description="Address that is notified of the task's end by a signed POST, without the result",
    )

    @model_validator(mode="after")
    def _check_time(self) -> Self:
        if self.delay_s is not None and self.run_at is not None:
            raise ValueError("must have `delay_s` or `run_at`, not both")
        return self

    @property
    def is_for_later(self) -> bool:
        """Say whether the request has a term that only a background task can meet."""
        return any(term is not None for term in (self.delay_s, self.run_at, self.unique_for_s, self.callback))

    @property
    def due_in_s(self) -> float:
        """Seconds until it runs."""
        if self.run_at is not None:
            return min(max(0.0, self.run_at.timestamp() - time.time()), MAX_DELAY_S)
        return self.delay_s or 0.0


class RunRequest(WorkRequest):
    """Which stored value to process, and how."""

    key: Key


class Message(WorkRequest):
    """A text to process, in the background or at once."""

    text: Value
    mode: Mode | None = Field(
        default=None,
        description="`sync` waits for the reply, `async` does not; without it the routes of the settings decide, "
        "and without a matching route it is `async`",
    )

    @model_validator(mode="after")
    def _check_callback(self) -> Self:
        if self.callback is not None and self.mode == "sync":
            raise ValueError("must not have a callback with `mode: sync`")
        return self


def keyed_names(fingerprinter: Fingerprinter, *parts: str | None, since_s: float) -> list[str]:
    """Return names derived from what callers send, which the database can compare and not reverse.

    A name changes with the fingerprint key. These are the names of the last `since_s` seconds, newest first.
    """
    # Hashed first, because fingerprints ignore case and separators. The tenant is one of the parts.
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    since = datetime.fromtimestamp(time.time() - since_s, UTC)
    return list(fingerprinter.candidates(digest, DEFAULT_TENANT, since))


def _as_json(options: dict[str, Any]) -> str:
    return json.dumps(options, ensure_ascii=False, sort_keys=True, allow_nan=False)

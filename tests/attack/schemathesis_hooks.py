"""Hooks of schemathesis: what its generator cannot know of this API. Loaded by `SCHEMATHESIS_HOOKS`."""

from typing import Any
from uuid import uuid4

import schemathesis


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Send each request under an idempotency key of its own: one key for two requests is refused."""
    if case.headers and "idempotency-key" in case.headers and case.meta.generation.mode.is_positive:
        case.headers["idempotency-key"] = uuid4().hex

"""Since when a policy is in force in this data directory, kept over restarts in a small file."""

from datetime import UTC, datetime
from pathlib import Path

import structlog
from pydantic import AwareDatetime, BaseModel, ValidationError

from vestibule.runtime.files import write_private


class _InForce(BaseModel):
    policy: str
    since: AwareDatetime


class PolicySince:
    """Notes when the policy in force changes. Processes that share a data directory share the note."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._noted: _InForce | None = None

    def note(self, version: str) -> None:
        """Note that a policy is in force from now on, or keep an earlier note of it; blocks on the disk."""
        noted = self._read()
        if noted is None or noted.policy != version:
            noted = _InForce(policy=version, since=datetime.now(UTC))
            try:
                write_private(self._path, noted.model_dump_json().encode())
            except OSError as error:
                # It is known until this process ends.
                log = structlog.get_logger("vestibule.policy")
                log.warning("policy_since_not_kept", error=type(error).__name__)
        self._noted = noted

    def of(self, version: str) -> datetime | None:
        """Return since when a policy is in force; None if it is not."""
        return self._noted.since if self._noted is not None and self._noted.policy == version else None

    def _read(self) -> _InForce | None:
        try:
            return _InForce.model_validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            return None

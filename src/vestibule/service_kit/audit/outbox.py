"""The acts of a data directory that the database service does not have yet: one file each, on disk before the answer.

Services and commands put acts there; each service ships those of its data directory. An act is known by its id, so it
counts once, however often it is shipped.
"""

import getpass
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from vestibule.contracts.audit import MAX_RECORDS, Act, ActOutcome, AuditRecord
from vestibule.runtime.files import write_private

SUFFIX, INVALID = ".json", ".invalid"


class AuditOutbox:
    """A folder of acts."""

    def __init__(self, data_dir: Path) -> None:
        self.directory = data_dir / "audit"

    def put(self, record: AuditRecord) -> None:
        """Keep an act until it is shipped; it is on disk when this returns.

        Raises:
            OSError: it could not be written.
        """
        name = f"{time.time_ns():020d}-{record.act_id}-{record.outcome}{SUFFIX}"
        content = record.sealed().model_dump_json(exclude_none=True)
        write_private(self.directory / name, content.encode())

    def waiting(self) -> list[tuple[Path, AuditRecord]]:
        """Return the oldest acts; a file that is none gets another name and stays."""
        found = []
        try:
            paths = sorted(path for path in self.directory.iterdir() if path.suffix == SUFFIX and path.name[0] != ".")
        except FileNotFoundError:
            return []
        for path in paths[:MAX_RECORDS]:
            try:
                found.append((path, AuditRecord.model_validate_json(path.read_bytes())))
            except ValidationError:
                path.replace(path.with_suffix(INVALID))
            except FileNotFoundError:
                continue  # another service has shipped it
        return found


# What a data directory has as soon as anything was made in it.
PARTS_OF_INSTANCE = ("keys", "vestibule.db", "alerts.db", "audit")


@contextmanager
def auditing(data_dir: Path, act: Act, target: str | None = None) -> Iterator[None]:
    """Record what a command does in the data directory: done where the context ends, failed where it raises.

    Where there is no data directory, nothing takes in what is recorded, and nothing is.

    Raises:
        OSError: it cannot be recorded.
    """
    record = AuditRecord(
        act_id=secrets.token_hex(16),
        time=datetime.now(UTC),
        act=act.value,
        service="cli",
        token_name=f"os:{_user()}",
        target=target,
    )
    try:
        yield
    except BaseException:
        _put(data_dir, record.model_copy(update={"outcome": ActOutcome.FAILED}))
        raise
    _put(data_dir, record)


def _user() -> str:
    """Return the name of the user who runs the command, or the number: in a container there may be no name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = ""
    # A name that cannot be recorded would lose the act.
    return user[:64] if user and user.isprintable() else str(os.getuid())


def _put(data_dir: Path, record: AuditRecord) -> None:
    # A mistyped folder has none of these, and nothing is left there.
    if any((data_dir / name).exists() for name in PARTS_OF_INSTANCE):
        AuditOutbox(data_dir).put(record)

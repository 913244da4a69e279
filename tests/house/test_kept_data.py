"""Everything that is kept is listed in `docs/privacy.md`, with how a subject is erased from it."""

import re
from pathlib import Path

from vestibule.alerts.store import schema as alert_schema
from vestibule.client_service.queue.result_backend import RESULT_PREFIX
from vestibule.contracts.identity import SYSTEM_TENANT
from vestibule.contracts.tasks import QUEUE, TAKEN
from vestibule.database_service.entries.dynamodb_items import PARTITIONS, PLAIN_PARTITION
from vestibule.database_service.entries.postgresql.schema import MIGRATIONS
from vestibule.database_service.entries.sqlite.database import TABLES
from vestibule.database_service.tasks.ledgers.sqlite import SCHEMA
from vestibule.database_service.tokens.registers import sqlite as token_register

ROOT = Path(__file__).parents[2]
PRIVACY = (ROOT / "docs" / "privacy.md").read_text()
SOURCES = [path.read_text() for path in (ROOT / "src").rglob("*.py") if "canary" not in path.parts]
COLUMNS = 5


def _rows() -> list[list[str]]:
    section = PRIVACY.partition("## What is stored")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return rows[1:]


def _listed() -> set[str]:
    return {name for row in _rows() for name in re.findall(r"`([^`]+)`", row[0])}


def _in_sources(pattern: str) -> set[str]:
    return {name for text in SOURCES for name in re.findall(pattern, text)}


def _tables() -> set[str]:
    migrations = [path.read_text() for path in MIGRATIONS.iterdir() if path.is_file()]
    script = "\n".join([*TABLES, *SCHEMA, *token_register.SCHEMA, alert_schema.SCHEMA, *migrations])
    return set(re.findall(r"CREATE TABLE (?:IF NOT EXISTS )?(?:vestibule\.)?(\w+)", script))


def _spaces() -> set[str]:
    # `~system` is no space: it stands in alerts of no tenant.
    by_name = _in_sources(r"""["'](~[a-z]+)["']""")
    return by_name - {SYSTEM_TENANT} | {f"~{name}" for name in _in_sources(r"\{RESERVED\}([a-z]+)")}


def _redis_keys() -> set[str]:
    return _in_sources(r'"(vestibule:[a-z]+[a-z:]*)"') | {RESULT_PREFIX, QUEUE, TAKEN}


def _files() -> set[str]:
    """Return the files and folders in the data directory."""
    return _in_sources(r'(?:data_dir|directory\.path|self\.path|\bpath) / "([\w.]+)"')


def test_all_that_is_kept_is_listed() -> None:
    """Every table, space, key of Redis and file, and nothing else; add a row where this fails, and erase from it."""
    kept = _tables() | _spaces() | _redis_keys() | _files()
    assert [] == sorted(kept - _listed())
    assert [] == sorted(_listed() - kept)


def test_every_row_says_how_a_subject_is_erased() -> None:
    """And in what form and for how long it is kept; the first row is the heading of those after it."""
    first, *others = _rows()
    assert first[0].startswith("`vestibule.db`")
    assert [] == [row[0] for row in others if len(row) != COLUMNS or not all(row)]


def test_the_partitions_of_dynamodb_are_named() -> None:
    """Besides those of tenants and of spaces, whose names are those of their keys."""
    assert all(f"`{name}`" in PRIVACY for name in (PARTITIONS, PLAIN_PARTITION))

"""Every event that the code logs is in docs/logging.md with its fields, and nothing else is."""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src" / "vestibule").rglob("*.py"))
# Methods of a structlog logger and of the supervisor log of `vestibule up`, and the names that such a method is given.
LOGGING = {"debug", "info", "warning", "error", "exception", "critical", "note", "warn", "fail", "write", "_record"}
# What every line may have, from the frame of a request or a task: it has a table of its own.
NO_FIELDS = {"exc_info"}
EVENT = re.compile(r"[a-z]+(_[a-z]+)*")


def _calls() -> Iterator[tuple[str, set[str]]]:
    """Yield each event that is logged by its name as it stands, with the fields that the call names."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and node.args
                and _name_of(node.func) in LOGGING
                and "log" in _owner(node, path)
            ):
                event = node.args[0]
                if isinstance(event, ast.Constant) and isinstance(event.value, str) and EVENT.fullmatch(event.value):
                    yield event.value, {keyword.arg for keyword in node.keywords if keyword.arg} - NO_FIELDS


def _name_of(function: ast.expr) -> str:
    return getattr(function, "attr", getattr(function, "id", ""))


def _owner(call: ast.Call, path: Path) -> str:
    # `write` and `error` are names that much else has; a logger goes by one that says so.
    text = ast.unparse(call.func).lower()
    return "log" if text == "write" or path.name == "logging_config.py" else text


def _logged() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for event, fields in _calls():
        found[event] |= fields
    return found


def _table(title: str) -> list[list[str]]:
    """Return the rows of the table under a heading of the document, without its head."""
    section = (ROOT / "docs" / "logging.md").read_text().split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def _names(cell: str) -> list[str]:
    return re.findall(r"`([a-z_]+)`", cell)


def _documented() -> dict[str, set[str]]:
    return {event: set(_names(row[-1])) for row in _table("All events") for event in _names(row[0])}


COMMON = {name for row in _table("The fields") for name in _names(row[0])}


def test_every_event_of_the_code_is_documented() -> None:
    """Who adds an event adds its row to the table."""
    assert len(_logged()) > 30
    missing = ", ".join(sorted(_logged().keys() - _documented().keys()))
    assert not missing, f"give each a row in docs/logging.md: {missing}"


def test_every_event_is_documented_once() -> None:
    """Each event has one row in the table."""
    names = [event for row in _table("All events") for event in _names(row[0])]
    assert [] == sorted(event for event, rows in Counter(names).items() if rows > 1)


def test_every_documented_event_is_in_the_code() -> None:
    """An event that is gone leaves the table."""
    text = "".join(path.read_text() for path in SOURCES)
    assert [] == sorted(event for event in _documented() if f'"{event}"' not in text)


def test_every_field_of_the_code_is_documented() -> None:
    """Who adds a field to an event adds it to its row, unless it is one that many events have."""
    undocumented = {
        event: sorted(fields - documented - COMMON)
        for event, fields in _logged().items()
        if (documented := _documented().get(event, set())) is not None and fields - documented - COMMON
    }
    assert not undocumented, f"put these into the rows of docs/logging.md: {undocumented}"


def test_every_documented_field_is_in_the_code() -> None:
    """A field that is gone leaves its row."""
    text = "".join(path.read_text() for path in SOURCES)
    fields = COMMON.union(*_documented().values())
    assert [] == sorted(field for field in fields if not re.search(rf"""(\b{field}\s*=|["']{field}["'])""", text))

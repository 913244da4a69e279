"""Finds the line of a value in a TOML file by its path in the parsed document."""

import re
from collections.abc import Sequence

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_PART = re.compile(r"""[^."'\s]+|"[^"]*"|'[^']*'""")
_KEY = re.compile(r"""^\s*(?P<key>[A-Za-z0-9_-]+|"[^"]*"|'[^']*')\s*[.=]""")

TomlPath = tuple[str | int, ...]


class TomlPositions:
    """The lines of a document by path."""

    def __init__(self, text: str) -> None:
        self._lines = _find_positions(text)

    def line_of(self, path: Sequence[str | int]) -> int | None:
        """Return the line, counted from 1, where `path` leads, or that of the nearest thing around it."""
        for length in range(len(path), 0, -1):
            line = self._lines.get(tuple(path[:length]))
            if line is not None:
                return line
        return None


def line_in_message(message: str, text: str) -> int:
    """Return the line that a message of the TOML parser names; it names none at the end of the document."""
    found = re.search(r"line (\d+)", message)
    return int(found.group(1)) if found else max(1, len(text.splitlines()))


def _find_positions(text: str) -> dict[TomlPath, int]:
    positions: dict[TomlPath, int] = {}
    counts: dict[str, int] = {}
    table: TomlPath = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            name = header.group(2)
            table = tuple(_bare(part) for part in _PART.findall(name))
            if header.group(1) == "[[":
                table = (*table, counts.get(name, 0))
                counts[name] = counts.get(name, 0) + 1
            for length in range(1, len(table) + 1):
                positions.setdefault(table[:length], number)
        elif key := _KEY.match(line):
            positions.setdefault((*table, _bare(key.group("key"))), number)
    return positions


def _bare(name: str) -> str:
    return name.strip("\"'")

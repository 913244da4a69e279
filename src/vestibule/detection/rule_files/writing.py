"""Writes rule files."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

# What stands in a literal string as it is: no quotes in a row, none at its end, and no control character.
_LITERAL = re.compile(r"(?:(?!''')[^\x00-\x1f\x7f])*(?<!')")
_MEMBERS_OF_LINE = 8


def write_rule_file(document: Mapping[str, Any], notes: str) -> str:
    """Return a rule file in TOML, with notes above it; members that are None or empty are left out."""
    lines = [f"# {line}" for line in notes.splitlines()]
    lines += _table(document, "")
    return "\n".join(lines) + "\n"


def _table(table: Mapping[str, Any], path: str) -> Iterator[str]:
    members = {name: member for name, member in table.items() if member not in (None, "", (), [])}
    inner = {name: member for name, member in members.items() if _is_tables(member)}
    for name, member in members.items():
        if name not in inner:
            yield f"{name} = {_value(member)}"
    for name, tables in inner.items():
        for one in tables:
            yield ""
            yield f"[[{path}{name}]]"
            yield from _table(one, f"{path}{name}.")


def _is_tables(member: Any) -> bool:
    return isinstance(member, list | tuple) and isinstance(member[0], Mapping)


def _value(member: Any) -> str:
    if isinstance(member, bool):
        return str(member).lower()
    if isinstance(member, str):
        return _string(member)
    if isinstance(member, list | tuple):
        items = [_value(one) for one in member]
        if len(items) <= _MEMBERS_OF_LINE:
            return f"[{', '.join(items)}]"
        return "[\n" + "".join(f"    {item},\n" for item in items) + "]"
    return repr(member)


def _string(text: str) -> str:
    if "\\" in text and _LITERAL.fullmatch(text):
        return f"'''{text}'''"
    # As in JSON, but for a character that TOML wants escaped, too.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

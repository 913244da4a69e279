"""Puts the name beside the value where a format keeps them apart: columns of a table, and Secrets of Kubernetes."""

import binascii
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from vestibule.detection.normalization import Edits, RewrittenText

_COLUMN = (
    r"(?:pass[ _-]?word|passwd|passphrase|passwort|kennwort|contrase(?:ñ|n)a|mot de passe|senha|wachtwoord|has(?:ł|l)o|"
    r"пароль|lösenord|heslo|şifre|密码|密碼|パスワード|비밀번호|pwd|pass|api[_ -]?key|"
    r"(?:client|api)[_ -]?secret|secret|token)"
    r"(?:[ _-](?:plain|clear|text|new|old|[0-9]))?"
)
# What the prefilter looks for: the name of a column between separators, and the kind of a manifest.
TABLE_PATTERN = (
    rf"(?i:[,;|\t] ?[\"']?(?:[a-z]{{1,20}}[ _.-])?{_COLUMN}[\"']? ?[,;|\t\r\n]|"
    rf"(?:^|\n)[\"']?(?:[a-z]{{1,20}}[ _.-])?{_COLUMN}[\"']? ?[,;|\t])"
)
MANIFEST_PATTERN = r"\bkind[\"']?[ \t]{0,3}:[ \t]{0,3}[\"']?Secret\b"
_IS_COLUMN = re.compile(rf"(?:[a-z]{{1,20}}[ _.-])?{_COLUMN}", re.IGNORECASE)
_IS_NAME = re.compile(r"[^\W\d][\w ./#-]{0,40}")
_SEPARATORS = ",;|\t"
# The line under the header of a table of Markdown.
_RULE_CHARS = "-:| \r\n"
_MAX_COLUMNS = 64
_MAX_HEADER_CHARS = 4_096
_DATA = re.compile(r"data(?<![A-Za-z]data)[\"']?[ \t]{0,3}:")
_ENTRY = re.compile(
    r"[\w.-]{1,253}[\"']?[ \t]{0,3}:[ \t]{0,3}[\"']?([A-Za-z0-9+/]{4,65536}={0,2})(?=[\"']?\s{0,20}(?:[,}]|\n|$))"
)
_NEXT_DOCUMENT = "\n---"


class Records(NamedTuple):
    """A text with the names beside the values, and where these are in the original."""

    content: RewrittenText
    low: int
    high: int


def read_tables(text: str, ends: Iterable[int]) -> Iterator[Records]:
    """Yield the cells of each column of secrets as `name: value` lines; `ends` are those of the names of columns."""
    reached = 0
    for end in sorted(ends):
        # The match may include the end of the line.
        begin = text.rfind("\n", 0, max(end - 2, 0)) + 1
        if begin < reached:
            continue
        header = text[begin : begin + _MAX_HEADER_CHARS].partition("\n")[0]
        reached = begin + len(header) + 1
        separator = max(_SEPARATORS, key=header.count)
        names = [name.strip(" \"'\r") for name in header.split(separator)]
        # A table of Markdown has separators at either end.
        told = names[1:-1] if separator == "|" and not names[0] and not names[-1] else names
        if 2 <= len(names) <= _MAX_COLUMNS and all(map(_IS_NAME.fullmatch, told)):
            columns = {at: name for at, name in enumerate(names) if _IS_COLUMN.fullmatch(name)}
            if columns and (records := _read_rows(text, reached, separator, len(names), columns)):
                reached = records.high
                yield records


def _read_rows(text: str, at: int, separator: str, width: int, columns: dict[int, str]) -> Records | None:
    cell = re.compile(rf'"(?:[^"\n]|"")*"|[^{re.escape(separator)}\n]*')
    low, size = at, len(text)
    spans: list[tuple[int, int, str]] = []
    while at < size:
        line_end = text.find("\n", at)
        next_line = (size if line_end < 0 else line_end) + 1
        line_end = next_line - 1 - (text[next_line - 2] == "\r")
        row: list[tuple[int, int]] = []
        while len(row) <= width:
            found = cell.match(text, at, line_end)
            row.append(found.span() if found else (at, at))
            at = row[-1][1] + 1
            if at > line_end or text[at - 1] != separator:
                break
        if len(row) != width or at <= line_end:
            break
        if text[row[0][0] : next_line].strip(_RULE_CHARS):
            spans += [(*row[column], name) for column, name in columns.items()]
        at = next_line
    return Records(_joined(text, low, spans), low, spans[-1][1]) if spans else None


def _joined(text: str, at: int, spans: Iterable[tuple[int, int, str]]) -> RewrittenText:
    parts: list[str] = []
    edits, size = Edits([0], [at], [0], [0]), 0
    for start, end, name in spans:
        label = f"\n{name.replace(' ', '_')}: "
        parts += label, text[start:end]
        edits.starts.append(at)
        edits.ends.append(start)
        edits.new_starts.append(size)
        edits.new_ends.append(size := size + len(label))
        size, at = size + end - start, end
    return RewrittenText("".join(parts), (edits,))


def read_manifests(text: str, ends: Iterable[int]) -> Iterator[Records]:
    """Yield each manifest of a Secret with its values decoded. Source: the Kubernetes API, Secret v1."""
    reached = 0
    for end in sorted(ends):
        if end <= reached:
            continue
        low = text.rfind(_NEXT_DOCUMENT, 0, end) + 1
        reached = text.find(_NEXT_DOCUMENT, end)
        reached = len(text) if reached < 0 else reached
        if data := _DATA.search(text, low, reached):
            entries = [entry for entry in _ENTRY.finditer(text, data.end(), reached) if _decode(entry[1])]
            if entries:
                yield Records(_decoded(text, data.start(), entries), data.start(), entries[-1].end())


def _decoded(text: str, at: int, entries: Iterable[re.Match[str]]) -> RewrittenText:
    parts: list[str] = []
    edits, size = Edits([0], [at], [0], [0]), 0
    for entry in entries:
        start, end = entry.span(1)
        value = _decode(entry[1])
        quote = "'" if '"' in value else '"'
        told = value if "\n" in value or text[start - 1] in "\"'" else f"{quote}{value}{quote}"
        parts += text[at:start], told
        size += start - at
        edits.starts.append(start)
        edits.ends.append(end)
        edits.new_starts.append(size)
        edits.new_ends.append(size := size + len(told))
        at = end
    # With the quotation mark after the last value.
    return RewrittenText("".join([*parts, text[at : at + 1]]), (edits,))


def _decode(value: str) -> str:
    """Return the text in base64; empty if there is none."""
    try:
        text = binascii.a2b_base64(value + "=" * (-len(value) % 4)).decode()
    except ValueError:
        return ""
    return text.strip("\n") if text.replace("\n", "").replace("\r", "").isprintable() else ""

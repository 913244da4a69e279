"""Scans texts, files, folders and lines of JSON for `vestibule scan`; a text of any length, in blocks."""

import codecs
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer

from vestibule.cli.options import echo
from vestibule.detection import DetectionError, Explanation, Finding, Scanner
from vestibule.detection import redact as redacted

BLOCK_CHARS = 200_000
# The overlap of two blocks. Findings that begin in its first half belong to the block before, which has all of the text
# around them; those that begin in its second half to the block after.
SHARED_CHARS = 20_000
DONE, REFUSED, MALFORMED = 0, 1, 2
# Folders with files of other programs.
_SKIPPED_FOLDERS = frozenset({".git", ".hg", ".svn", ".venv", "node_modules", "__pycache__"})
# A file with a zero byte near its beginning is binary.
_SNIFFED_BYTES = 8_192
# An argument that is a path and not a text: it begins as a path does, or ends with a file extension.
_PATH = re.compile(r"(?:\.{0,2}|~)/\S*|[^\s@:=]+\.[A-Za-z][A-Za-z0-9]{0,4}")


Find = Callable[..., Sequence[Finding | Explanation]]


@dataclass
class ScanSummary:
    """The totals of a run."""

    texts: int = 0
    refused: int = 0
    texts_with: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)


def scan_sources(
    scanner: Scanner, sources: Sequence[str], key: str | None, *, redact: bool, explain: bool, quiet: bool
) -> bool:
    """Scan every text and print its findings; return whether something was found or refused."""
    from rich.console import Console
    from rich.progress import Progress, TextColumn

    summary = ScanSummary()
    texts = [text for source in sources for text in _find_texts(source)]
    console = Console(stderr=True)
    is_quiet = quiet or len(texts) < 2 or not console.is_terminal
    columns = (*Progress.get_default_columns(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, console=console, transient=True, disable=is_quiet) as progress:
        task = progress.add_task("Scanning", total=len(texts))
        for name, source in texts:
            try:
                _scan_one(scanner, name, _read(source), key, redact, explain, summary)
            except OSError as error:
                summary.refused += 1
                echo(f"{name}: cannot be read: {error.strerror}", err=True)
            progress.advance(task)
    if not quiet and summary.texts > 1:
        _print_summary(summary)
    return bool(summary.findings) or summary.refused > 0


def _scan_one(
    scanner: Scanner, name: str, text: str | None, key: str | None, redact: bool, explain: bool, summary: ScanSummary
) -> None:
    if text is None:  # binary: a picture, an archive
        return
    summary.texts += 1
    try:
        explanations = explain_blocks(scanner, text, key)
    except DetectionError as refusal:
        summary.refused += 1
        echo(f"{name}: refused: {refusal}", err=True)
        return
    entities = [explanation.finding.entity for explanation in explanations]
    summary.findings.update(entities)
    summary.texts_with.update(set(entities))
    if redact:
        echo(redacted(text, [explanation.finding for explanation in explanations]), nl=not text.endswith("\n"))
        return
    line, counted = 1, 0
    for explanation in sorted(explanations, key=lambda one: one.finding.start):
        finding = explanation.finding
        line += text.count("\n", counted, finding.start)
        counted = finding.start
        column = finding.start - text.rfind("\n", 0, finding.start)
        reason = f"  {explanation.rule} {explanation.check or ''} {', '.join(explanation.context)}" if explain else ""
        echo(f"{name}:{line}:{column} {finding.entity} {finding.score:.2f}{reason}")


def _print_summary(summary: ScanSummary) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{summary.texts} texts, {summary.findings.total()} findings, {summary.refused} refused")
    table.add_column("entity")
    table.add_column("findings", justify="right")
    table.add_column("texts", justify="right")
    for entity, count in summary.findings.most_common():
        table.add_row(entity, str(count), str(summary.texts_with[entity]))
    Console(stderr=True).print(table)


def _find_texts(source: str) -> Iterator[tuple[str, "Path | str | None"]]:
    """Yield the name of each text and its source: a path, the text itself, or None for standard input."""
    if source == "-":
        yield "-", None
    elif not os.path.exists(source):  # noqa: PTH110 - Path.exists raises where a text is too long for a path
        if _PATH.fullmatch(source):
            # A misspelt file name scanned as a text would pass as clean.
            raise typer.BadParameter(f"there is no file or folder {source!r}; to scan it as a text, pipe it to `-`")
        yield "text", source
    elif Path(source).is_dir():
        for path in sorted(Path(source).rglob("*")):
            if path.is_file() and _SKIPPED_FOLDERS.isdisjoint(path.parts):
                yield str(path), path
    else:
        yield source, Path(source)


def _read(source: "Path | str | None") -> str | None:
    if isinstance(source, str):
        return source
    content = sys.stdin.buffer.read() if source is None else source.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    return None if source is not None and b"\0" in content[:_SNIFFED_BYTES] else content.decode("utf-8", "replace")


def explain_blocks(scanner: Scanner, text: str, key: str | None) -> list[Explanation]:
    """Return the findings in a text of any length, with reasons and offsets in the whole text.

    Raises:
        DetectionError: a block cannot be scanned.
    """
    if len(text) <= BLOCK_CHARS:
        return list(scanner.explain(text, key=key))
    found: list[Explanation] = []
    begin = 0
    while True:
        end = begin + BLOCK_CHARS
        own_from = begin + SHARED_CHARS // 2 if begin else 0
        own_until = end - SHARED_CHARS // 2 if end < len(text) else len(text)
        for one in scanner.explain(text[begin:end], key=key):
            place = one.finding._replace(start=one.finding.start + begin, end=one.finding.end + begin)
            if own_from <= place.start < own_until:
                found.append(one._replace(finding=place))
        if end >= len(text):
            return found
        begin = end - SHARED_CHARS


def answer_lines(scanner: Scanner, key: str | None, *, with_reasons: bool, redact: bool) -> int:
    """Answer standard input line by line, in order; return the exit code of the worst line."""
    import orjson

    out = sys.stdout.buffer
    worst = DONE
    find: Find = scanner.explain if with_reasons else scanner.scan
    for line in sys.stdin.buffer:
        if not line.strip():
            continue
        answer, code = _answer(find, line, key, redact)
        worst = max(worst, code)
        out.write(orjson.dumps(answer) + b"\n")
        # The caller may wait for this answer before it sends the next line.
        out.flush()
    return worst


def _answer(find: Find, line: bytes, key: str | None, redact: bool) -> tuple[dict[str, object], int]:
    try:
        # Unlike orjson, the standard parser takes lone surrogates written as escapes.
        asked = json.loads(line)
        # As in `POST /scan`: `field` for `key`, and the `id` comes back.
        text, key = asked["text"], asked.get("field", asked.get("key", key))
        named = {"id": asked["id"]} if isinstance(asked.get("id"), int | str) else {}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {"findings": None, "malformed": 'not {"text": ..., "field": ...}'}, MALFORMED
    if not isinstance(text, str) or not isinstance(key, str | None):
        return {**named, "findings": None, "malformed": "text and field must be strings"}, MALFORMED
    try:
        found = find(text, key=key)
    except DetectionError as refusal:
        return {**named, "findings": None, "refused": str(refusal)}, REFUSED
    answer: dict[str, object] = {**named, "findings": [finding.as_dict() for finding in found]}
    if redact:
        shown = redacted(text, [one.finding if isinstance(one, Explanation) else one for one in found])
        answer["text"] = shown.encode("utf-8", "replace").decode()
    return answer, DONE

"""`vestibule scan FILE...`: scans texts, files and folders, with a progress bar and a summary."""

import codecs
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer

from vestibule.cli.scan.blocks import explain_blocks
from vestibule.detection import DetectionError, Explanation, Scanner
from vestibule.detection import redact as redacted

# Folders that hold what other programs made.
_SKIPPED_FOLDERS = frozenset({".git", ".hg", ".svn", ".venv", "node_modules", "__pycache__"})
# A file with a zero byte near its beginning is no text.
_SNIFFED_BYTES = 8_192
# What nobody would write as a text: it begins as a path does, or ends as the name of a file does.
_PATH = re.compile(r"(?:\.{0,2}|~)/\S*|[^\s@:=]+\.[A-Za-z][A-Za-z0-9]{0,4}")


@dataclass
class ScanSummary:
    """The totals of a run."""

    texts: int = 0
    refused: int = 0
    texts_with: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)

    @property
    def has_found(self) -> bool:
        """Tell whether anything must not pass."""
        return bool(self.findings) or self.refused > 0


def scan_sources(
    scanner: Scanner, sources: Sequence[str], key: str | None, *, redact: bool, explain: bool, quiet: bool
) -> bool:
    """Check every text; True when something was found or refused."""
    from rich.console import Console
    from rich.progress import Progress, TextColumn

    tally = ScanSummary()
    texts = [text for source in sources for text in _find_texts(source)]
    console = Console(stderr=True)
    is_quiet = quiet or len(texts) < 2 or not console.is_terminal
    columns = (*Progress.get_default_columns(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, console=console, transient=True, disable=is_quiet) as progress:
        task = progress.add_task("Scanning", total=len(texts))
        for name, source in texts:
            try:
                _scan_one(scanner, name, _read(source), key, redact, explain, tally)
            except OSError as error:
                tally.refused += 1
                typer.echo(f"{name}: cannot be read: {error.strerror}", err=True)
            progress.advance(task)
    if not quiet and tally.texts > 1:
        _summarise(tally)
    return tally.has_found


def _scan_one(
    scanner: Scanner, name: str, text: str | None, key: str | None, redact: bool, explain: bool, tally: ScanSummary
) -> None:
    if text is None:  # no text: a picture, an archive
        return
    tally.texts += 1
    try:
        explanations = explain_blocks(scanner, text, key)
    except DetectionError as refusal:
        tally.refused += 1
        typer.echo(f"{name}: refused: {refusal}", err=True)
        return
    entities = [explanation.finding.entity for explanation in explanations]
    tally.findings.update(entities)
    tally.texts_with.update(set(entities))
    if redact:
        typer.echo(redacted(text, [explanation.finding for explanation in explanations]), nl=not text.endswith("\n"))
        return
    line, counted = 1, 0
    for explanation in sorted(explanations, key=lambda one: one.finding.start):
        line += text.count("\n", counted, explanation.finding.start)
        counted = explanation.finding.start
        typer.echo(_line(f"{name}:{line}", text, explanation, explain))


def _line(place: str, text: str, explanation: Explanation, explain: bool) -> str:
    finding = explanation.finding
    column = finding.start - text.rfind("\n", 0, finding.start)
    reason = f"  {explanation.rule} {explanation.check or ''} {', '.join(explanation.context)}" if explain else ""
    return f"{place}:{column} {finding.entity} {finding.score:.2f}{reason}"


def _summarise(tally: ScanSummary) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{tally.texts} texts, {tally.findings.total()} findings, {tally.refused} refused")
    table.add_column("entity")
    table.add_column("findings", justify="right")
    table.add_column("texts", justify="right")
    for entity, count in tally.findings.most_common():
        table.add_row(entity, str(count), str(tally.texts_with[entity]))
    Console(stderr=True).print(table)


def _find_texts(source: str) -> Iterator[tuple[str, "Path | str | None"]]:
    """Give a name for each text, and where it is: a path, the text itself, None for standard input."""
    if source == "-":
        yield "-", None
    elif not _exists(source):
        if _PATH.fullmatch(source):
            # A check that takes a misspelt name for a harmless text would let everything pass.
            raise typer.BadParameter(f"there is no file or folder {source!r}; texts are read from `-` too")
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


def _exists(source: str) -> bool:
    try:
        return Path(source).exists()
    except (OSError, ValueError):
        return False

"""`vestibule rule`: takes over rules of gitleaks and recognizers of Presidio, and lists those of a folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vestibule.cli.frame.noun import Noun
from vestibule.cli.frame.problems import CommandFailed, end_with_problem, failing_on
from vestibule.cli.options import AsJson
from vestibule.cli.terminal.output import Output
from vestibule.cli.terminal.table import Column
from vestibule.contracts.errors import VestibuleError

if TYPE_CHECKING:
    from collections.abc import Callable

    from vestibule.detection.importing import Imported

FOLDER_VARIABLE = "VESTIBULE_DETECTION__DETECTORS_DIR"
OUTCOMES = (
    Column("RULE", lambda one: one["name"], shrinks=True),
    Column("OUTCOME", lambda one: one["outcome"]),
    Column("ENTITY", lambda one: one["entity"]),
    Column("NOTE", lambda one: one["note"], shrinks=True),
)
RULES = (
    Column("RULE", lambda one: one["name"], shrinks=True),
    Column("ENTITY", lambda one: one["entity"]),
    Column("SCORE", lambda one: one["score"], is_right=True),
    Column("KEYWORDS", lambda one: ", ".join(one["keywords"]), shrinks=True),
    Column("FILE", lambda one: one["file"], shrinks=True),
)

rule = Noun(
    "vestibule rules import gitleaks.toml",
    "vestibule rules import gitleaks.toml --output detectors/gitleaks.toml",
    "vestibule rules list --folder detectors",
)


@rule.verb(
    "import",
    "vestibule rules import gitleaks.toml",
    "vestibule rules import recognizers.yaml --output detectors/recognizers.toml",
)
def import_file(
    file: Annotated[Path, typer.Argument(help="A TOML file of gitleaks, or a YAML file of Presidio's recognizers.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the rules that are taken to this file, whose name ends in .toml."),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the file if there is one.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Write nothing if a rule is refused.")] = False,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Find what recognizers of Presidio give this score and more.")
    ] = 0.4,
    as_json: AsJson = False,
) -> None:
    """Take over rules of gitleaks or Presidio; say for each whether it is taken, or why not.

    Without --output nothing is written.

    Exit code 1: the file is invalid, no rule can be taken, or one is refused with --strict.
    """
    shown = Output(as_json=as_json)
    try:
        _import(shown, file, output, threshold, may_replace=replace, is_strict=strict)
    except VestibuleError as error:
        end_with_problem(error, as_json=as_json)


def _import(
    shown: Output, file: Path, output: Path | None, threshold: float, *, may_replace: bool, is_strict: bool
) -> None:
    from vestibule.detection import InvalidDetector
    from vestibule.detection.importing import ImportOutcome, import_rules

    if output is not None and output.suffix != ".toml":
        raise typer.BadParameter("the name has to end in .toml", param_hint="--output")
    with failing_on(InvalidDetector):
        imported = import_rules(file, _served(), threshold)
    counts = {outcome.value: imported.count(outcome) for outcome in ImportOutcome}
    rules = [
        {"name": one.name, "outcome": one.outcome.value, "entity": one.entity, "note": one.note}
        for one in imported.outcomes
    ]
    has_failed = counts["refused"] == len(rules) or (is_strict and counts["refused"] > 0)
    written = None
    if output is not None and imported.rules and not has_failed:
        _write(imported, output, may_replace=may_replace)
        written = str(output)
    document = {**counts, "output": written, "notes": imported.notes, "rules": rules}
    shown.rows(rules, OUTCOMES, "No rules.", document)
    for note in imported.notes:
        shown.note(note)
    place = f"written to {written}" if written else "nothing is written"
    shown.note(f"{counts['taken']} taken, {counts['built-in']} built-in, {counts['refused']} refused; {place}")
    if has_failed:
        raise typer.Exit(1)


@rule.verb("list", "vestibule rules list --folder detectors", "vestibule rules list --folder detectors --json")
def list_rules(
    folder: Annotated[Path, typer.Option(envvar=FOLDER_VARIABLE, help="The folder of your own detectors.")],
    as_json: AsJson = False,
) -> None:
    """List the rules in the rule files of a folder.

    Exit code 1: a file is invalid.
    """
    from vestibule.detection import InvalidDetector
    from vestibule.detection.rule_files.reading import read_rule_file, rule_files

    try:
        with failing_on(InvalidDetector):
            read = [(path.name, read_rule_file(path)) for path in rule_files(folder)]
    except VestibuleError as error:
        end_with_problem(error, as_json=as_json)
    rules = [
        {"name": one.name, "entity": detector.entity, "score": one.score, "keywords": one.anchors, "file": name}
        for name, detectors in read
        for detector in detectors
        for one in detector.rules
    ]
    Output(as_json=as_json).rows(rules, RULES, "No rules.")


def _served() -> "Callable[[str], bool]":
    """Return what says whether a built-in detector finds an entity of Presidio."""
    from vestibule.client_service.compat.presidio.names import asked_entities
    from vestibule.detection.catalogue import list_detectors

    known = {detector.entity for detector in list_detectors()}
    return lambda entity: bool(asked_entities([entity], known).names)


def _write(imported: "Imported", output: Path, *, may_replace: bool) -> None:
    from vestibule.detection.rule_files.writing import write_rule_file

    if output.exists() and not may_replace:
        raise CommandFailed(f"{output} exists; --replace overwrites it")
    notes = f"Rules of {imported.source}, written by `vestibule rules import`."
    part = output.with_name(f".{output.name}.part")
    try:
        part.write_text(write_rule_file(imported.document, notes), encoding="utf-8")
        part.replace(output)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise CommandFailed(f"{output} cannot be written: {error.strerror}") from None

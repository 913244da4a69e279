"""`vestibule scan`: checks texts and files for personal data and secrets, without a running service."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vestibule.cli.frame.noun import with_examples

if TYPE_CHECKING:
    from vestibule.detection import Scanner


@with_examples(
    "vestibule scan notes.txt",
    "vestibule scan --redact - < value.txt",
    "vestibule scan policy.toml --entity EMAIL_ADDRESS --explain",
    "vestibule scan notes.txt --folder detectors",
)
def scan(
    sources: Annotated[
        list[str] | None,
        typer.Argument(help="Texts, files or folders; - or nothing reads standard input.", show_default=False),
    ] = None,
    key: Annotated[str | None, typer.Option(help="The name of the field of the texts.")] = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help='Read {"text","field"?,"id"?} a line, write {"findings"} a line.')
    ] = False,
    redact: Annotated[bool, typer.Option("--redact", help="Write the text with <ENTITY> for each finding.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Explain each finding.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")] = False,
    entity: Annotated[
        list[str] | None, typer.Option(help="Look for this entity only; may be repeated.", show_default=False)
    ] = None,
    allow: Annotated[list[str] | None, typer.Option(help="Ignore this value; may be repeated.")] = None,
    allow_pattern: Annotated[
        list[str] | None, typer.Option(help="Ignore values that match this regular expression; may be repeated.")
    ] = None,
    allow_fingerprint: Annotated[
        list[str] | None, typer.Option(help="Ignore the value with this HMAC-SHA-256; may be repeated.")
    ] = None,
    fingerprint_key: Annotated[
        str | None,
        typer.Option(
            envvar="VESTIBULE_DETECTION__FINGERPRINT_KEY",
            help="Key of the fingerprints; prefer the variable, since other users of this machine can see options.",
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            envvar="VESTIBULE_DETECTION__DETECTORS_DIR", help="Also use the detectors and rule files of this folder."
        ),
    ] = None,
) -> None:
    """Scan texts and files for personal data and secrets.

    Exit code 0: nothing found, 1: something found or refused, 2: wrong usage. With --jsonl: 0 whatever was found, 1: a
    text was refused, 2: a line was malformed.
    """
    from vestibule.cli.text_scan import answer_lines, scan_sources

    chosen: dict[str, list[str] | Path | None] = {
        "entities": entity,
        "allowed_values": allow,
        "allowed_patterns": allow_pattern,
        "allowed_fingerprints": allow_fingerprint,
        "detectors_dir": folder,
    }
    given = {name: some for name, some in chosen.items() if some is not None and some != []}
    scanner = _build_scanner(given, fingerprint_key)
    if jsonl:
        raise typer.Exit(answer_lines(scanner, key, with_reasons=explain, redact=redact))
    has_found = scan_sources(scanner, sources or ["-"], key, redact=redact, explain=explain, quiet=quiet)
    raise typer.Exit(1 if has_found else 0)


def _build_scanner(chosen: dict[str, list[str] | Path], fingerprint_key: str | None) -> "Scanner":
    from vestibule.detection import InvalidDetector, Scanner

    if not chosen:
        return Scanner.from_settings()
    if "allowed_fingerprints" in chosen and not fingerprint_key:
        raise typer.BadParameter("--allow-fingerprint needs --fingerprint-key")
    from pydantic import ValidationError

    from vestibule.detection import DetectionSettings

    try:
        settings = DetectionSettings.model_validate({**chosen, "fingerprint_key": fingerprint_key})
    except ValidationError as error:
        raise typer.BadParameter("; ".join(problem["msg"] for problem in error.errors())) from error
    try:
        return Scanner.from_settings(settings)
    except InvalidDetector as error:
        hint = "--entity" if "entities" in chosen else "--folder"
        raise typer.BadParameter(str(error), param_hint=hint) from None

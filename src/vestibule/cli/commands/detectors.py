"""`vestibule detectors`: lists the detectors."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from vestibule.detection.rules import Detector


def detectors(
    entity: Annotated[str | None, typer.Argument(help="Only this entity, with its rules and sources.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Also list the custom detectors of this folder.", exists=True)
    ] = None,
) -> None:
    """List the detectors, including those of installed packages, with an example of each."""
    from vestibule.detection import DetectionSettings, InvalidDetector
    from vestibule.detection.catalogue import list_detectors

    try:
        known = list_detectors(DetectionSettings(detectors_dir=folder))
    except InvalidDetector as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from error
    chosen = [detector for detector in known if entity in (None, detector.entity)]
    if not chosen:
        raise typer.BadParameter(f"no detector of {entity}", param_hint="ENTITY")
    for detector in chosen:
        if as_json:
            typer.echo(json.dumps(_as_dict(detector), ensure_ascii=False))
        else:
            _print(detector, with_details=entity is not None)


def _as_dict(detector: "Detector") -> dict[str, object]:
    return {
        "entity": detector.entity,
        "threshold": detector.threshold,
        "rules": [rule.name for rule in detector.rules],
        "labels": detector.labels,
        "examples": _texts_of(detector.examples),
        "counter_examples": _texts_of(detector.counter_examples),
        "sources": detector.sources,
    }


def _print(detector: "Detector", *, with_details: bool) -> None:
    examples = _texts_of(detector.examples)
    typer.echo(f"{detector.entity:26} {examples[0] if examples else ''}")
    if with_details:
        typer.echo(f"  rules: {', '.join(rule.name for rule in detector.rules)}")
        typer.echo(f"  labels: {', '.join(detector.labels)}")
        typer.echo(f"  sources: {', '.join(detector.sources)}")
        for example in _texts_of(detector.counter_examples):
            typer.echo(f"  not: {example}")


def _texts_of(examples: "tuple[object, ...]") -> list[str]:
    from vestibule.detection.rules import DetectorExample

    wrapped = (
        example if isinstance(example, DetectorExample) else DetectorExample(str(example)) for example in examples
    )
    return [f"{example.key}: {example.text}" if example.key else example.text for example in wrapped]

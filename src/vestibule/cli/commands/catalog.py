"""The commands that list what this installation offers: detectors and processors."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vestibule.cli.frame import completion
from vestibule.cli.options import AsJson, echo, exit_on
from vestibule.cli.terminal.output import Output
from vestibule.cli.terminal.table import Column

if TYPE_CHECKING:
    from vestibule.detection.rules import Detector
    from vestibule.processing import AnyProcessor


DETECTORS = (
    Column("ENTITY", lambda one: one["entity"]),
    Column("EXAMPLE", lambda one: next(iter(one["examples"]), None), shrinks=True),
)
PROCESSORS = (
    Column("PROCESSOR", lambda one: one["name"]),
    Column("DESCRIPTION", lambda one: one["description"], shrinks=True),
)


def detectors(
    entity: Annotated[
        str | None,
        typer.Argument(help="Only this entity, with its rules and sources.", autocompletion=completion.entities),
    ] = None,
    as_json: AsJson = False,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Also list the custom detectors of this folder.", exists=True)
    ] = None,
) -> None:
    """List the detectors, including those of installed packages, with an example of each."""
    from vestibule.detection import DetectionSettings, InvalidDetector
    from vestibule.detection.catalogue import list_detectors

    with exit_on(InvalidDetector):
        known = list_detectors(DetectionSettings(detectors_dir=folder))
    chosen = [detector for detector in known if entity in (None, detector.entity)]
    if not chosen:
        raise typer.BadParameter(f"no detector of {entity}", param_hint="ENTITY")
    shown = [_detector_as_dict(detector) for detector in chosen]
    if entity is None:
        Output(as_json=as_json).rows(shown, DETECTORS, "No detectors.")
        return
    for one in shown:
        if as_json:
            echo(json.dumps(one, ensure_ascii=False))
            continue
        echo(f"{one['entity']:26} {one['examples'][0] if one['examples'] else ''}")
        for title in ("rules", "labels", "sources"):
            echo(f"  {title}: {', '.join(one[title])}")
        for example in one["counter_examples"]:
            echo(f"  not: {example}")


def processors(
    name: Annotated[
        str | None,
        typer.Argument(help="Only this one, with its options and examples.", autocompletion=completion.processors),
    ] = None,
    as_json: AsJson = False,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Include those of this folder; that of VESTIBULE_PROCESSORS_DIR if not given."),
    ] = None,
) -> None:
    """List the processors, including those of a folder and of installed packages.

    Exit code 1 where one of those is invalid.
    """
    from vestibule.processing import InvalidProcessor
    from vestibule.processor_adapters import ProcessorSettings, check_processors

    with exit_on(InvalidProcessor):
        known = check_processors(ProcessorSettings() if folder is None else ProcessorSettings(processors_dir=folder))
    if name is not None and name not in known.names:
        raise typer.BadParameter(f"no processor {name}; known are {', '.join(known.names)}", param_hint="NAME")
    if name is None:
        shown = [_processor_as_dict(known.find(one)) for one in known.names]
        Output(as_json=as_json).rows(shown, PROCESSORS, "No processors.")
        return
    one = _processor_as_dict(known.find(name))
    if as_json:
        echo(json.dumps(one, ensure_ascii=False))
    else:
        echo(f"{one['name']:20} {one['description']}")
        _print_details(one)


def _detector_as_dict(detector: "Detector") -> dict[str, Any]:
    return {
        "entity": detector.entity,
        "threshold": detector.threshold,
        "rules": [rule.name for rule in detector.rules],
        "labels": detector.labels,
        "examples": _texts_of(detector.examples),
        "counter_examples": _texts_of(detector.counter_examples),
        "sources": detector.sources,
    }


def _texts_of(examples: "tuple[object, ...]") -> list[str]:
    from vestibule.detection.rules import DetectorExample

    wrapped = (
        example if isinstance(example, DetectorExample) else DetectorExample(str(example)) for example in examples
    )
    return [f"{example.key}: {example.text}" if example.key else example.text for example in wrapped]


def _processor_as_dict(processor: "AnyProcessor") -> dict[str, Any]:
    from vestibule.processing import examples_of, model_of

    model = model_of(processor)
    return {
        "name": processor.name,
        "description": processor.description,
        "options": None if model is None else model.model_json_schema(),
        "examples": [
            {"data": example.data, "result": example.result, "options": dict(example.options)}
            for example in examples_of(processor)
        ],
    }


def _print_details(shown: dict[str, Any]) -> None:
    schema = shown["options"] or {}
    required = schema.get("required", ())
    for name, option in schema.get("properties", {}).items():
        default = "required" if name in required else f"default {json.dumps(option.get('default'), ensure_ascii=False)}"
        echo(f"  --option {name}=...  {option.get('description', '')} [{default}]")
    for example in shown["examples"]:
        options = f" with {json.dumps(example['options'], ensure_ascii=False)}" if example["options"] else ""
        echo(f"  {example['data']!r} becomes {example['result']!r}{options}")

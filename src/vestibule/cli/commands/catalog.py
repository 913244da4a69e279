"""The commands that list what this installation offers: config, detectors and processors."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vestibule.cli.options import AsJson, echo, exit_on

if TYPE_CHECKING:
    from vestibule.detection.rules import Detector
    from vestibule.processing import AnyProcessor
    from vestibule.service_kit.settings import SettingDescription


def config(context: typer.Context, as_json: AsJson = False) -> None:
    """List every option with its environment variable, default and meaning."""
    options = sorted({option.variable: option for option in [*_of_commands(context), *_of_services()]}.items())
    if as_json:
        rows = [{"variable": name, "default": o.default, "description": o.description} for name, o in options]
        echo(json.dumps(rows, indent=1))
        return
    width = max(len(name) for name, _ in options)
    for name, option in options:
        default = f" [{option.default}]" if option.default else ""
        echo(f"{name:{width}}  {option.description}{default}")


def detectors(
    entity: Annotated[str | None, typer.Argument(help="Only this entity, with its rules and sources.")] = None,
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
    for detector in chosen:
        shown = _detector_as_dict(detector)
        if as_json:
            echo(json.dumps(shown, ensure_ascii=False))
            continue
        echo(f"{detector.entity:26} {shown['examples'][0] if shown['examples'] else ''}")
        if entity is not None:
            for title in ("rules", "labels", "sources"):
                echo(f"  {title}: {', '.join(shown[title])}")
            for example in shown["counter_examples"]:
                echo(f"  not: {example}")


def processors(
    name: Annotated[str | None, typer.Argument(help="Only this one, with its options and examples.")] = None,
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
    for processor in (known.find(one) for one in known.names if name in (None, one)):
        if as_json:
            echo(json.dumps(_processor_as_dict(processor), ensure_ascii=False))
            continue
        echo(f"{processor.name:20} {processor.description}")
        if name is not None:
            _print_details(_processor_as_dict(processor))


def _of_services() -> "Iterator[SettingDescription]":
    from vestibule.business_logic_service.settings import BusinessLogicSettings
    from vestibule.client_service.settings import ClientSettings, WorkerSettings
    from vestibule.database_service.settings import DatabaseSettings
    from vestibule.scheduler_service.settings import SchedulerSettings
    from vestibule.service_kit.settings import describe_settings

    kinds = (ClientSettings, WorkerSettings, DatabaseSettings, BusinessLogicSettings, SchedulerSettings)
    return describe_settings(kinds)


def _of_commands(context: typer.Context) -> "Iterator[SettingDescription]":
    from vestibule.service_kit.settings import SettingDescription

    for command in context.find_root().command.commands.values():  # type: ignore[attr-defined]
        for option in command.params:
            if isinstance(option.envvar, str):
                default = "" if option.default in (None, False) else str(option.default)
                yield SettingDescription(option.envvar, default, option.help or "")


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

"""`vestibule processors`: lists the processors and tests custom ones."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from vestibule.processing import AnyProcessor, ProcessorRegistry


def processors(
    name: Annotated[str | None, typer.Argument(help="Only this one, with its options and examples.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Include those of this folder; that of VESTIBULE_PROCESSORS_DIR if not given."),
    ] = None,
) -> None:
    """List the processors, including those of a folder and of installed packages.

    Exit code 1 where one of those cannot be used.
    """
    known = _read(folder)
    if name is not None and name not in known.names:
        raise typer.BadParameter(f"no processor {name}; known are {', '.join(known.names)}", param_hint="NAME")
    chosen = [known.find(one) for one in known.names if name in (None, one)]
    for processor in chosen:
        if as_json:
            typer.echo(json.dumps(_as_dict(processor), ensure_ascii=False))
        else:
            _print(processor, with_details=name is not None)


def _read(folder: Path | None) -> "ProcessorRegistry":
    from vestibule.processing import InvalidProcessor
    from vestibule.processor_adapters import ProcessorSettings, check_processors

    settings = ProcessorSettings() if folder is None else ProcessorSettings(processors_dir=folder)
    try:
        return check_processors(settings)
    except InvalidProcessor as error:
        typer.echo(f"vestibule: {error}", err=True)
        raise typer.Exit(1) from error


def _as_dict(processor: "AnyProcessor") -> dict[str, Any]:
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


def _print(processor: "AnyProcessor", *, with_details: bool) -> None:
    typer.echo(f"{processor.name:20} {processor.description}")
    if not with_details:
        return
    shown = _as_dict(processor)
    schema = shown["options"] or {}
    needed = schema.get("required", ())
    for name, option in schema.get("properties", {}).items():
        default = "needed" if name in needed else f"default {json.dumps(option.get('default'), ensure_ascii=False)}"
        typer.echo(f"  --option {name}=...  {option.get('description', '')} [{default}]")
    for example in shown["examples"]:
        options = f" with {json.dumps(example['options'], ensure_ascii=False)}" if example["options"] else ""
        typer.echo(f"  {example['data']!r} becomes {example['result']!r}{options}")

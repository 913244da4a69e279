"""`vestibule canary`: sends fake values in every kind of request and searches everything that the system writes."""

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vestibule.cli.frame.noun import with_examples
from vestibule.cli.options import DEVELOPMENT_TOKEN, AsJson, echo, fail

if TYPE_CHECKING:
    from vestibule.cli.canary.proof import ProofResult
    from vestibule.cli.canary.sinks import ProofTarget

ACTIONS = ("block", "redact", "mask", "hash", "tokenize", "number", "fake", "alert", "ignore")


@with_examples("vestibule canary", "vestibule canary --url http://127.0.0.1:8000 --data-dir var")
def canary(
    *,
    url: Annotated[
        str, typer.Option(help="Test the running system at this address; starts a test system if not given.")
    ] = "",
    token: Annotated[str, typer.Option(envvar="VESTIBULE_TOKEN", help="Token for --url.")] = DEVELOPMENT_TOKEN,
    data_dir: Annotated[Path | None, typer.Option(help="With --url: search this data directory.")] = None,
    redis_url: Annotated[str, typer.Option(help="With --url: search this Redis.")] = "",
    console_url: Annotated[str, typer.Option(help="With --url: read the pages of the console at this address.")] = "",
    output: Annotated[list[Path] | None, typer.Option(help="With --url: search this file, such as its stdout.")] = None,
    action: Annotated[
        list[str] | None, typer.Option(help=f"Policy actions to try. [default: {', '.join(ACTIONS)}]")
    ] = None,
    plant: Annotated[
        bool, typer.Option("--plant", help="Hide a value in each kind of place: the proof must fail.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Prove that nothing leaks: send fake personal data and secrets in every way, then search for them.

    Exit code 0: nothing was found. 1: a value was found; its place is printed.
    """
    from vestibule.cli.canary.sinks import ProofTarget
    from vestibule.cli.canary.system import SystemFailed, running_system
    from vestibule.cli.embedded.redis_server import redis_url_of

    results: dict[str, ProofResult] = {}
    if url:
        found_redis = redis_url or (redis_url_of(data_dir) if data_dir else None)
        target = ProofTarget(
            url.rstrip("/"),
            token,
            console_url=console_url.rstrip("/"),
            data_dir=data_dir,
            redis_url=found_redis,
            outputs=output or [],
            keeps_keys=True,
        )
        try:
            results["as configured"] = _prove(target, plant)
        except SystemFailed as error:
            fail(str(error))
    for name in () if url else action or ACTIONS:
        echo(f"policy {name}:", err=True)
        try:
            with running_system(name) as own:
                results[name] = _prove(own, plant)
        except SystemFailed as error:
            fail(f"the test system failed:\n{error}")
    _report(results, as_json)
    if any(result.leaks for result in results.values()):
        raise typer.Exit(1)


def _prove(target: "ProofTarget", is_planting: bool) -> "ProofResult":
    from vestibule.cli.canary.proof import prove
    from vestibule.cli.canary.sinks import plant_leaks

    plant = partial(plant_leaks, target) if is_planting else None
    return prove(target, lambda text: echo(f"  {text}", err=True), plant)


def _report(results: "dict[str, ProofResult]", as_json: bool) -> None:
    if as_json:
        echo(json.dumps({name: asdict(result) for name, result in results.items()}, indent=1))
        return
    for name, result in results.items():
        size = f"{result.bytes_searched / 1e6:.1f} MB in {result.places} places"
        outcome = "nothing leaked" if not result.leaks else f"{len(result.leaks)} LEAKS"
        echo(f"policy {name}: {outcome} ({result.requests} requests, searched {size})")
        for leak in result.leaks:
            echo(f"  {leak.kind}, {leak.form}: {leak.place}, byte {leak.offset}")

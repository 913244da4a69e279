"""`vestibule canary`: the command and its output."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vestibule.cli.http_client import DEVELOPMENT_TOKEN

if TYPE_CHECKING:
    from vestibule.cli.canary.proof import ProofResult, ProofTarget
    from vestibule.cli.canary.values import Canary

ACTIONS = ("block", "redact", "mask", "hash", "tokenize", "alert", "ignore")


def canary(
    *,
    url: Annotated[
        str, typer.Option(help="Test the running system at this address; starts a system of its own if not given.")
    ] = "",
    token: Annotated[str, typer.Option(envvar="VESTIBULE_TOKEN", help="Token for --url.")] = DEVELOPMENT_TOKEN,
    data_dir: Annotated[Path | None, typer.Option(help="With --url: search this data directory.")] = None,
    redis_url: Annotated[str, typer.Option(help="With --url: search this Redis.")] = "",
    output: Annotated[list[Path] | None, typer.Option(help="With --url: search this file, such as its stdout.")] = None,
    action: Annotated[
        list[str] | None, typer.Option(help=f"Policy actions to try. [default: {', '.join(ACTIONS)}]")
    ] = None,
    plant: Annotated[
        bool, typer.Option("--plant", help="Hide a value in each kind of place: the proof has to fail.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Prove that nothing leaks: send fake personal data and secrets in every way, then search for them.

    Exit code 0: nothing was found. 1: a value was found; where is printed.
    """
    from vestibule.cli.canary.disturbance import NotHealed
    from vestibule.cli.canary.embedded import NotReady, redis_url_of, running_system
    from vestibule.cli.canary.proof import ProofTarget

    verdicts: dict[str, ProofResult] = {}
    if url:
        found_redis = redis_url or (redis_url_of(data_dir) if data_dir else None)
        target = ProofTarget(
            url.rstrip("/"), token, data_dir=data_dir, redis_url=found_redis, outputs=output or [], keeps_keys=True
        )
        verdicts["as it is set"] = _prove(target, plant)
    for name in () if url else action or ACTIONS:
        typer.echo(f"policy {name}:", err=True)
        try:
            with running_system(name) as own:
                verdicts[name] = _prove(own, plant)
        except (NotReady, NotHealed) as error:
            typer.echo(f"vestibule: the system to try failed:\n{error}", err=True)
            raise typer.Exit(1) from None
    _report(verdicts, as_json)
    if any(verdict.leaks for verdict in verdicts.values()):
        raise typer.Exit(1)


def _prove(target: "ProofTarget", is_planting: bool) -> "ProofResult":
    from vestibule.cli.canary.plant import plant_leaks
    from vestibule.cli.canary.proof import prove

    def plant(canaries: "list[Canary]") -> None:
        plant_leaks(target, canaries)

    return prove(target, lambda text: typer.echo(f"  {text}", err=True), plant if is_planting else None)


def _report(verdicts: "dict[str, ProofResult]", as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({name: asdict(verdict) for name, verdict in verdicts.items()}, indent=1))
        return
    for name, verdict in verdicts.items():
        size = f"{verdict.bytes_searched / 1e6:.1f} MB in {verdict.places} places"
        outcome = "nothing leaked" if not verdict.leaks else f"{len(verdict.leaks)} LEAKS"
        typer.echo(f"policy {name}: {outcome} ({verdict.requests} requests, searched {size})")
        for leak in verdict.leaks:
            typer.echo(f"  {leak.kind}, {leak.form}: {leak.place}, byte {leak.offset}")

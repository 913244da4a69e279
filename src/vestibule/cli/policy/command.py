"""`vestibule policy`: shows, checks, tests and replays policies, without a running service."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vestibule.cli.http_client import AsJson, fail
from vestibule.cli.policy.replay_output import as_dict, lines_of, moment_of

if TYPE_CHECKING:
    from vestibule.client_service.settings import ClientSettings
    from vestibule.policy import Policy
    from vestibule.policy.rule_index import PolicyRule

app = typer.Typer(help="Show, check and test the policy: the actions on findings.", no_args_is_help=True)

DataDir = Annotated[
    Path | None,
    typer.Option(envvar="VESTIBULE_DATA_DIR", help="The data directory of the services.", show_default="var"),
]
PolicyFile = Annotated[Path | None, typer.Option("--policy", help="Another policy file than the active one.")]


@app.command()
def show(data_dir: DataDir = None, policy: PolicyFile = None, as_json: AsJson = False) -> None:
    """Print the active policy, its version, and the origin of each rule."""
    in_force = _load(_settings(data_dir), policy)
    if as_json:
        rules = [_as_dict(rule) for rule in in_force.rules]
        typer.echo(json.dumps({"version": in_force.version, "dry_run": in_force.is_dry_run, "rules": rules}))
        return
    typer.echo(f"Policy {in_force.version}, from {in_force.path or 'the settings; there is no policy file'}")
    if in_force.is_dry_run:
        typer.echo("DRY RUN: everything is let in as it came, and what would have been done is recorded.")
    for rule in sorted(in_force.rules, key=lambda rule: (-rule.layer, rule.scope.narrowness)):
        typer.echo(f"  {rule.scope.describe():50} {_describe(rule):34} {rule.origin}")
    typer.echo("The narrowest rule holds; where neither of two is narrower, the stricter.")


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The policy file.")], data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Validate a policy file; print the line and the reason of an error. Exit code 1 if it is invalid."""
    from vestibule.policy import InvalidPolicy
    from vestibule.processor_adapters.settings import open_policy

    try:
        checked = open_policy(_settings(data_dir), path=file).current
    except InvalidPolicy as broken:
        if as_json:
            typer.echo(json.dumps({"ok": False, "line": broken.line, "reason": broken.reason}))
            raise typer.Exit(1) from None
        fail(str(broken))
    if as_json:
        typer.echo(json.dumps({"ok": True, "version": checked.version, "rules": len(checked.rules)}))
        return
    typer.echo(f"{file} is a policy: version {checked.version}, {len(checked.rules)} rules with those beneath it.")


@app.command("test")
def try_samples(
    file: Annotated[
        Path, typer.Argument(help="Sample texts with expected actions: TOML with tables named `samples`, or JSONL.")
    ],
    policy: PolicyFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Scan sample texts and compare the actions with the expected ones. Exit code 1 if they differ."""
    from vestibule.detection import DetectionError, Scanner
    from vestibule.policy.evaluation import InvalidSamples, find_mismatches, read_samples

    settings = _settings(data_dir)
    chosen = _load(settings, policy)
    try:
        samples = read_samples(file)
        scanner = Scanner.from_settings(settings.detection)
        mistakes = find_mismatches(samples, chosen, lambda text, key: scanner.scan(text, key=key))
    except (InvalidSamples, DetectionError) as error:
        fail(str(error))
    if as_json:
        typer.echo(json.dumps({"policy": chosen.version, "samples": len(samples), "mistakes": mistakes}))
    else:
        for number, mistake in mistakes.items():
            typer.echo(f"sample {number}: {mistake}")
        typer.echo(f"{len(samples) - len(mistakes)} of {len(samples)} samples as expected, by policy {chosen.version}.")
    raise typer.Exit(1 if mistakes else 0)


@app.command()
def replay(
    since: Annotated[str, typer.Option(help="How far back: 30d, 12h, 2w, or a date such as 2026-01-31.")] = "30d",
    policy: PolicyFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Replay recorded decisions under this policy. Nothing is scanned again: no text was stored."""
    from vestibule.policy.decision_log import read_decisions
    from vestibule.policy.evaluation import replay as decide_again

    settings = _settings(data_dir)
    chosen = _load(settings, policy)
    records = read_decisions(settings.decision_dir, moment_of(since))
    result = decide_again(records, chosen, _token_names(settings))
    if as_json:
        typer.echo(json.dumps(as_dict(result, chosen.version)))
    else:
        typer.echo("\n".join(lines_of(result, chosen.version)))


def _token_names(settings: "ClientSettings") -> dict[str, str]:
    from vestibule.service_kit.auth.token_file import InvalidTokenFile, read_records

    try:
        return {record.id: record.name for record in read_records(settings.token_file)}
    except InvalidTokenFile:
        return {}


def _settings(data_dir: Path | None) -> "ClientSettings":
    from vestibule.client_service.settings import ClientSettings
    from vestibule.service_kit.settings import describe_mistakes

    try:
        return ClientSettings() if data_dir is None else ClientSettings(data_dir=data_dir)
    except ValueError as error:
        fail(describe_mistakes(error))


def _load(settings: "ClientSettings", policy: Path | None) -> "Policy":
    from vestibule.processor_adapters.settings import open_policy

    try:
        return open_policy(settings, path=policy).current
    except ValueError as error:
        fail(str(error))


def _describe(rule: "PolicyRule") -> str:
    parts = [str(rule.action)] if rule.action else []
    parts += [f"from score {rule.threshold}"] if rule.threshold is not None else []
    parts += [f"severity {rule.severity}"] if rule.severity else []
    return ", ".join(parts)


def _as_dict(rule: "PolicyRule") -> dict[str, Any]:
    scope = rule.scope
    shown = {
        "entity": scope.entity or scope.group,
        "token": scope.token,
        "key_prefix": scope.key_prefix,
        "route": scope.route,
        "action": rule.action,
        "threshold": rule.threshold,
        "severity": rule.severity,
        "origin": rule.origin,
    }
    return {name: value for name, value in shown.items() if value is not None}

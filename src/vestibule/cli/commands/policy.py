"""`vestibule policy` and `vestibule receipt`: shows, checks, tests and replays policies, and verifies receipts."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vestibule.cli.http_client import HttpClient, TokenOption, UrlOption, client_service
from vestibule.cli.options import AsJson, echo, exit_on, fail, parse_since, read_text, takes
from vestibule.cli.options import show as print_result

if TYPE_CHECKING:
    from collections import Counter

    from vestibule.client_service.settings import ClientSettings
    from vestibule.policy import Action, Policy
    from vestibule.policy.evaluation import Replay
    from vestibule.policy.rule_index import PolicyRule

app = typer.Typer(help="Show, check and test the policy: the actions on findings.", no_args_is_help=True)
receipt_app = typer.Typer(help="Verify the signed receipts of decisions.", no_args_is_help=True)

DataDir = Annotated[
    Path | None,
    typer.Option(envvar="VESTIBULE_DATA_DIR", help="The data directory of the services.", show_default="var"),
]
PolicyFile = Annotated[Path | None, typer.Option("--policy", help="Another policy file than the active one.")]


@app.command()
def show(data_dir: DataDir = None, policy: PolicyFile = None, as_json: AsJson = False) -> None:
    """Print the active policy, its version, and the origin of each rule."""
    active = _load(_settings(data_dir), policy)
    lines = [f"Policy {active.version}, from {active.path or 'the settings; there is no policy file'}"]
    if active.is_dry_run:
        lines.append("DRY RUN: everything is stored unchanged, and the actions of the policy are only recorded.")
    for rule in sorted(active.rules, key=lambda rule: (-rule.layer, rule.scope.narrowness)):
        lines.append(f"  {rule.scope.describe():50} {_describe(rule):34} {rule.origin}")
    lines.append("The narrowest matching rule applies; of rules that are equally narrow, the strictest.")
    rules = [_as_dict(rule) for rule in active.rules]
    shown = {"version": active.version, "dry_run": active.is_dry_run, "rules": rules}
    print_result(shown, as_json, "\n".join(lines))


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
            echo(json.dumps({"ok": False, "line": broken.line, "reason": broken.reason}))
            raise typer.Exit(1) from None
        fail(broken)
    summary = f"{file} is valid: version {checked.version}, {len(checked.rules)} rules including the defaults."
    print_result({"ok": True, "version": checked.version, "rules": len(checked.rules)}, as_json, summary)


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
    with exit_on(InvalidSamples, DetectionError):
        samples = read_samples(file)
        scanner = Scanner.from_settings(settings.detection)
        mistakes = find_mismatches(samples, chosen, lambda text, key: scanner.scan(text, key=key))
    lines = [f"sample {number}: {mistake}" for number, mistake in mistakes.items()]
    lines.append(f"{len(samples) - len(mistakes)} of {len(samples)} samples as expected, by policy {chosen.version}.")
    shown = {"policy": chosen.version, "samples": len(samples), "mistakes": mistakes}
    print_result(shown, as_json, "\n".join(lines))
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
    result = decide_again(read_decisions(settings.decision_dir, parse_since(since)), chosen, _token_names(settings))
    text = "\n".join(_replay_lines(result, chosen.version))
    print_result(_replay_as_dict(result, chosen.version), as_json, text)


@receipt_app.command()
@takes(client_service)
def verify(
    http: HttpClient,
    receipt: Annotated[str, typer.Argument(help="The receipt; `-` reads it from standard input.")],
    key: Annotated[
        Path | None,
        typer.Option(help="File with the public key as JWK or JWK set; read from the client service if not given."),
    ] = None,
) -> None:
    """Verify that a receipt was signed by this Vestibule and print it. Exit code 1 if it was not."""
    from vestibule.policy.receipts import ReceiptInvalid, verify_receipt

    try:
        keys = json.loads(key.read_text(encoding="utf-8")) if key else http.call("GET", "/receipts/key")
    except (OSError, ValueError) as error:
        fail(f"cannot read the key {key} ({type(error).__name__})")
    try:
        claims = verify_receipt(read_text(receipt), keys)
    except ReceiptInvalid as error:
        fail(f"the receipt is invalid: {error}")
    lines = [f"  {name}: {value}" for name, value in _receipt_fields(claims).items() if value]
    http.show(claims, "\n".join(["The receipt is valid.", *lines]))


@receipt_app.command("key")
def show_key(url: UrlOption = "", token: TokenOption = "") -> None:
    """Print the public keys of a running Vestibule as a JWK set, to verify receipts elsewhere."""
    echo(json.dumps(HttpClient(url, token).call("GET", "/receipts/key"), indent=1))


def _token_names(settings: "ClientSettings") -> dict[str, str]:
    from vestibule.service_kit.auth.token_file import InvalidTokenFile, read_records

    try:
        return {record.id: record.name for record in read_records(settings.token_file)}
    except InvalidTokenFile:
        return {}


def _settings(data_dir: Path | None) -> "ClientSettings":
    from vestibule.client_service.settings import ClientSettings

    with exit_on(ValueError):
        return ClientSettings() if data_dir is None else ClientSettings(data_dir=data_dir)


def _load(settings: "ClientSettings", policy: Path | None) -> "Policy":
    from vestibule.processor_adapters.settings import open_policy

    with exit_on(ValueError):
        return open_policy(settings, path=policy).current


def _describe(rule: "PolicyRule") -> str:
    threshold = "" if rule.threshold is None else f"from score {rule.threshold}"
    parts = (str(rule.action or ""), threshold, f"severity {rule.severity}" if rule.severity else "")
    return ", ".join(filter(None, parts))


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


def _replay_lines(result: "Replay", version: str) -> list[str]:
    """Return the actions on each entity, as recorded and as replayed, and the totals."""
    lines = [f"{'entity':28} {'findings':>8}  {'recorded':34} replayed with policy {version}"]
    for entity, comparison in sorted(result.by_entity.items()):
        now, then = _counts(comparison.now), _counts(comparison.then)
        mark = "" if comparison.now == comparison.then else "  *"
        lines.append(f"{entity:28} {comparison.findings:8}  {now:34} {then}{mark}")
    lines.append(
        f"{result.requests} requests with findings: {result.blocked_now} blocked as recorded, "
        f"{result.blocked_then} as replayed; {result.clean} without findings."
    )
    return lines


def _replay_as_dict(result: "Replay", version: str) -> dict[str, Any]:
    return {
        "policy": version,
        "requests": result.requests,
        "clean": result.clean,
        "blocked": {"now": result.blocked_now, "then": result.blocked_then},
        "entities": {
            entity: {"findings": one.findings, "now": dict(one.now), "then": dict(one.then)}
            for entity, one in sorted(result.by_entity.items())
        },
    }


def _counts(counts: "Counter[Action]") -> str:
    return ", ".join(f"{action} {count}" for action, count in counts.most_common())


def _receipt_fields(claims: dict[str, Any]) -> dict[str, Any]:
    return {
        "decision": claims.get("jti"),
        "time": datetime.fromtimestamp(claims.get("iat", 0), UTC).isoformat(),
        "request": claims.get("request_id"),
        "route": claims.get("route"),
        "outcome": claims.get("outcome"),
        "actions": _receipt_actions(claims.get("actions", {})) or "nothing was found",
        "would have": _receipt_actions(claims.get("would_have", {})),
        "policy": claims.get("policy"),
        "detectors": claims.get("detectors"),
    }


def _receipt_actions(actions: dict[str, str]) -> str:
    return ", ".join(f"{entity} {action}" for entity, action in actions.items())

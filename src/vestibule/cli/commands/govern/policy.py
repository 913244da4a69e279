"""`vestibule policy`: shows, checks, tests and replays policies, from files or at a running system."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vestibule.cli.frame.exit_codes import ExitCode
from vestibule.cli.frame.installation import Installation, use_installation
from vestibule.cli.frame.noun import Noun
from vestibule.cli.frame.problems import CommandFailed, failing_on
from vestibule.cli.options import parse_since
from vestibule.cli.terminal.table import Column, current_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vestibule.policy.evaluation import Sample

DAY = timedelta(days=1)
DRY_RUN = "DRY RUN: everything is stored unchanged, and the actions of the policy are only recorded."
PolicyFile = Annotated[Path | None, typer.Option("--policy", help="Another policy file than the one in force.")]


def _counts(counts: "Mapping[str, int]") -> str:
    return ", ".join(f"{action} {count}" for action, count in counts.items())


def _scope(rule: "Mapping[str, Any]") -> str:
    parts = [rule.get("entity") or "everything"]
    parts += [f"from token {rule['token']}"] if rule.get("token") else []
    parts += [f"by {rule['route']}"] if rule.get("route") else []
    parts += [f"under keys {rule['key_prefix']}*"] if rule.get("key_prefix") else []
    return " ".join(parts)


def _duration(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


RULES = (
    Column("APPLIES TO", _scope, shrinks=True),
    Column("ACTION", lambda one: one.get("action")),
    Column("FROM SCORE", lambda one: one.get("threshold")),
    Column("SEVERITY", lambda one: one.get("severity")),
    Column("HITS", lambda one: one.get("hits"), is_right=True),
    Column("STANDS IN", lambda one: one["origin"], shrinks=True),
)
RETENTION = (
    Column("KEPT ENTRIES", lambda one: one["applies_to"], shrinks=True),
    Column("BY DEFAULT", lambda one: _duration(one.get("default_ttl_s"))),
    Column("AT MOST", lambda one: _duration(one.get("max_ttl_s"))),
    Column("STANDS IN", lambda one: one["origin"], shrinks=True),
)
ENTITIES = (
    Column("ENTITY", lambda one: one["entity"]),
    Column("FINDINGS", lambda one: one["findings"], is_right=True),
    Column("RECORDED", lambda one: _counts(one["recorded"])),
    Column("REPLAYED", lambda one: _counts(one["replayed"])),
    Column("CHANGED", lambda one: sum(change["number"] for change in one["changes"]), is_right=True),
)

policy = Noun(
    "vestibule policy show",
    "vestibule policy check policy.toml",
    "vestibule policy test samples.toml --policy policy.toml",
    "vestibule policy replay --since 7d --policy policy.toml",
    "vestibule policy show --url http://127.0.0.1:8000",
)


@policy.verb("show", "vestibule policy show", "vestibule policy show --url http://127.0.0.1:8000 --json")
@use_installation
def show(place: Installation, policy: PolicyFile = None) -> None:
    """Show the policy in force: its version, its rules, and where each stands.

    The rule above overrules that below.
    """
    if place.client is None:
        from vestibule.cli.commands.govern.policy_files import open_policy, policy_document

        document: Any = policy_document(open_policy(place.data_dir, policy))
    elif policy is not None:
        raise typer.BadParameter("a running system shows the policy in force alone", param_hint="--policy")
    else:
        pages = [page.raw for page in place.client.policy.get().pages()]
        document = {**pages[0], "rules": [rule for page in pages for rule in page["rules"]], "cursor": None}
    if place.output.as_json:
        place.output.document(document)
        return
    fields = {
        "version": document["version"],
        "file": document["file"] or "there is no policy file",
        "in force since": document.get("since") and datetime.fromisoformat(document["since"]),
        "note": DRY_RUN if document["dry_run"] else None,
    }
    place.output.fields(document, fields)
    place.output.rows(document["rules"], RULES, "No rules.")
    if document["retention"]:
        place.output.rows(document["retention"], RETENTION, "No rules.")


@policy.verb("check", "vestibule policy check policy.toml", "vestibule policy check policy.toml --json")
@use_installation
def check(place: Installation, file: Annotated[Path, typer.Argument(help="The policy file.")]) -> None:
    """Validate a policy file; print the line and the reason of a mistake.

    Exit code 1: it is invalid.
    """
    text = _read(file)
    if place.client is None:
        from vestibule.cli.commands.govern.policy_files import check_document

        checked: Any = check_document(place.data_dir, file)
    else:
        checked = dict(place.client.policy.check(text).raw)
    if not checked["valid"]:
        _show_mistakes(place, file, checked)
    rules = f"{checked['rules']} rules including the defaults"
    kept = f", {checked['retention']} of retention" if checked.get("retention") else ""
    in_force = "; it is in force" if checked.get("is_in_force") else ""
    place.output.done(checked, f"{file} is valid: version {checked['version']}, {rules}{kept}{in_force}.")


@policy.verb("test", "vestibule policy test samples.toml", "vestibule policy test samples.toml --policy policy.toml")
@use_installation
def try_samples(
    place: Installation,
    file: Annotated[
        Path, typer.Argument(help="Sample texts with expected actions: TOML with tables named `samples`, or JSONL.")
    ],
    policy: PolicyFile = None,
) -> None:
    """Scan sample texts and compare the actions with the expected ones.

    Exit code 1: they differ.
    """
    from vestibule.policy.evaluation import InvalidSamples, read_samples

    with failing_on(InvalidSamples):
        samples = read_samples(file)
    if place.client is None:
        from vestibule.cli.commands.govern.policy_files import test_document

        run: Any = test_document(place.data_dir, policy, samples)
    else:
        given = [sample.model_dump(mode="json", exclude_none=True) for sample in samples]
        run = place.client.policy.test(given, policy=None if policy is None else _read(policy)).raw
    lines = _mistakes(samples, run["samples"])
    lines.append(
        f"{len(samples) - run['mismatches']} of {len(samples)} samples as expected, by policy {run['policy']}."
    )
    place.output.done(run, "\n".join(lines))
    if run["mismatches"]:
        raise typer.Exit(ExitCode.FAILED.value)


@policy.verb("replay", "vestibule policy replay --since 7d", "vestibule policy replay --since 30d --policy policy.toml")
@use_installation
def replay(
    place: Installation,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="How far back: 30d, 12h, 2w, or a date such as 2026-01-31.")
    ] = "30d",
    policy: PolicyFile = None,
) -> None:
    """Replay recorded decisions under this policy.

    Nothing is scanned again: no text was stored.

    A running system replays whole days.
    """
    began = parse_since(since)
    if place.client is None:
        from vestibule.cli.commands.govern.policy_files import replay_document

        replayed: Any = replay_document(place.data_dir, policy, began)
    else:
        days = max(1, -(-(current_time() - began) // DAY))
        replayed = place.client.policy.replay(policy=None if policy is None else _read(policy), days=days).raw
    if place.output.as_json:
        place.output.document(replayed)
        return
    place.output.rows(replayed["entities"], ENTITIES, "No findings were recorded.")
    blocked = f"{replayed['blocked_recorded']} blocked as recorded, {replayed['blocked_replayed']} as replayed"
    rest = "" if replayed["complete"] else "; older ones were not replayed"
    by = f"by policy {replayed['policy']}"
    place.output.done(replayed, f"{replayed['decisions']} requests with findings: {blocked}, {by}{rest}.")


def _show_mistakes(place: Installation, file: Path, checked: "Mapping[str, Any]") -> None:
    if place.output.as_json:
        place.output.document(checked)
        raise typer.Exit(ExitCode.FAILED.value)
    mistake = checked["mistakes"][0]
    line = "" if mistake["line"] is None else f", line {mistake['line']}"
    raise CommandFailed(f"{file}{line}: {mistake['reason']}")


def _mistakes(samples: "Sequence[Sample]", outcomes: "Sequence[Mapping[str, Any]]") -> list[str]:
    lines = []
    for sample, outcome in zip(samples, outcomes, strict=True):
        if not outcome["as_expected"]:
            if isinstance(sample.expect, str):
                expected, got = sample.expect, outcome["outcome"]
            else:
                expected, got = _actions(sample.expect), _actions(outcome["actions"])
            lines.append(f"sample {outcome['number']}: expected {expected}, got {got}")
    return lines


def _actions(actions: "Mapping[str, str]") -> str:
    return ", ".join(f"{entity} {action}" for entity, action in sorted(actions.items())) or "pass"


def _read(file: Path) -> str:
    with failing_on(OSError, UnicodeDecodeError, before=f"{file} cannot be read: "):
        return file.read_text(encoding="utf-8")

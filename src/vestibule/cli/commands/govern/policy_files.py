"""Policies from files, and what they do, as documents of the same form as those of the API."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vestibule.cli.frame.problems import failing_on

if TYPE_CHECKING:
    from vestibule.client_service.settings import ClientSettings
    from vestibule.policy import Action, Policy
    from vestibule.policy.evaluation import Comparison, Sample
    from vestibule.policy.rule_index import PolicyRule

Document = Mapping[str, Any]


def open_policy(data_dir: Path, file: Path | None) -> "Policy":
    """Return the policy in a file, or the one that is in force for a data directory."""
    return _open(_settings(data_dir), file)


def policy_document(policy: "Policy") -> Document:
    """Return a policy as `GET /policy` does."""
    rules = sorted(policy.rules, key=lambda rule: rule.precedence)
    return {
        "version": policy.version,
        "file": None if policy.path is None else str(policy.path),
        "dry_run": policy.is_dry_run,
        "rules": [_rule(rule) for rule in rules],
        "retention": [
            {"applies_to": kept.describe(), **kept.terms(), "origin": kept.origin} for kept in policy.retention_rules
        ],
    }


def check_document(data_dir: Path, file: Path) -> Document:
    """Return whether a policy file is valid, as `POST /policy/check` does."""
    from vestibule.policy import InvalidPolicy
    from vestibule.processor_adapters.settings import open_policy as open_file

    try:
        checked = open_file(_settings(data_dir), path=file).current
    except InvalidPolicy as broken:
        return {"valid": False, "mistakes": [{"line": broken.line, "reason": broken.reason}]}
    counts = {"rules": len(checked.rules), "retention": len(checked.retention_rules)}
    return {"valid": True, "mistakes": [], "version": checked.version, **counts, "dry_run": checked.is_dry_run}


def test_document(data_dir: Path, file: Path | None, samples: "Sequence[Sample]") -> Document:
    """Return what a policy does with sample texts, as `POST /policy/test` does."""
    from vestibule.detection import DetectionError, Scanner
    from vestibule.policy.evaluation import mismatch_of, outcome_of
    from vestibule.policy.policy import KEY_FIELD

    settings = _settings(data_dir)
    policy = _open(settings, file)
    outcomes = []
    with failing_on(DetectionError):
        scanner = Scanner.from_settings(settings.detection)
        for number, sample in enumerate(samples, 1):
            findings = {"value": scanner.scan(sample.text, key=sample.key)}
            if sample.key is not None:
                findings[KEY_FIELD] = scanner.scan(sample.key)
            decision = policy.decide(sample.situation, findings)
            outcome = {
                "number": number,
                "as_expected": mismatch_of(sample, decision) is None,
                "outcome": outcome_of(decision),
                "actions": decision.withheld if decision.is_dry_run else decision.actions,
            }
            outcomes.append(outcome)
    mismatches = sum(not one["as_expected"] for one in outcomes)
    return {"policy": policy.version, "mismatches": mismatches, "samples": outcomes}


def replay_document(data_dir: Path, file: Path | None, since: datetime) -> Document:
    """Return recorded decisions beside what a policy decides on them, as `POST /policy/replay` does."""
    from vestibule.policy.decision_log import read_decisions
    from vestibule.policy.evaluation import replay

    settings = _settings(data_dir)
    policy = _open(settings, file)
    result = replay(read_decisions(settings.decision_dir, since), policy, _token_names(settings))
    return {
        "policy": policy.version,
        "since": since,
        "complete": True,
        "decisions": result.requests,
        "clean": result.clean,
        "changed": result.changed,
        "changes": _changes(result.changes),
        "blocked_recorded": result.blocked_now,
        "blocked_replayed": result.blocked_then,
        "entities": [_comparison(entity, one) for entity, one in sorted(result.by_entity.items())],
    }


def _settings(data_dir: Path) -> "ClientSettings":
    from vestibule.client_service.settings import ClientSettings

    with failing_on(ValueError):
        return ClientSettings(data_dir=data_dir)


def _open(settings: "ClientSettings", file: Path | None) -> "Policy":
    from vestibule.processor_adapters.settings import open_policy as open_file

    with failing_on(ValueError):
        return open_file(settings, path=file).current


def _token_names(settings: "ClientSettings") -> dict[str, str]:
    from vestibule.service_kit.auth.token_file import InvalidTokenFile, read_records

    try:
        return {record.id: record.name for record in read_records(settings.token_file)}
    except InvalidTokenFile:
        return {}


def _rule(rule: "PolicyRule") -> Document:
    scope = rule.scope
    return {
        "id": rule.id,
        "origin": rule.origin,
        "entity": scope.entity or scope.group,
        "token": scope.token,
        "key_prefix": scope.key_prefix,
        "route": scope.route,
        "action": rule.action,
        "threshold": rule.threshold,
        "severity": rule.severity,
    }


def _comparison(entity: str, one: "Comparison") -> Document:
    return {
        "entity": entity,
        "findings": one.findings,
        "recorded": dict(one.now.most_common()),
        "replayed": dict(one.then.most_common()),
        "changes": _changes(one.changes),
    }


def _changes(counted: "Counter[tuple[Action, Action]]") -> list[Document]:
    return [{"before": before, "after": after, "number": number} for (before, after), number in counted.most_common()]

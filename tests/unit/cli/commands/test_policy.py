"""`vestibule policy` and `vestibule receipt` on files, as somebody runs them who changes a policy."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from vestibule.cli.main import app
from vestibule.contracts.decisions import DecisionRecord, RecordedFinding
from vestibule.policy import Action, Outcome
from vestibule.policy.receipts import DecidedFacts, ReceiptSigner, generate_key, load_keys

POLICY = """
[entities]
EMAIL_ADDRESS = "redact"
[[rules]]
entities = ["EMAIL_ADDRESS"]
tokens = ["support"]
action = "alert"
severity = "info"
"""


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert code == result.exit_code, result.output
    return str(result.output)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory with a policy file."""
    (tmp_path / "policy.toml").write_text(POLICY)
    return tmp_path


def test_show_says_what_is_in_force_and_where_it_stands(data_dir: Path) -> None:
    """For people and for programs; what is built in is shown as well."""
    shown = run("policy", "show", "--data-dir", data_dir)
    assert "EMAIL_ADDRESS from token support" in shown
    assert "policy.toml, line 4" in shown
    rules = json.loads(run("policy", "show", "--data-dir", data_dir, "--json"))["rules"]
    assert [("alert", "EMAIL_ADDRESS"), ("redact", "EMAIL_ADDRESS"), ("block", None)] == [
        (rule["action"], rule.get("entity")) for rule in rules
    ]
    (data_dir / "policy.toml").write_text("dry_run = true")
    assert "DRY RUN" in run("policy", "show", "--data-dir", data_dir)
    assert "there is no policy file" in run("policy", "show", "--data-dir", data_dir / "other")


def test_check_says_line_and_reason(data_dir: Path) -> None:
    """A good file is done, a bad one is code 1, and a file that is not there as well."""
    assert "is valid: version" in run("policy", "check", data_dir / "policy.toml")
    assert json.loads(run("policy", "check", data_dir / "policy.toml", "--json"))["valid"]
    (data_dir / "bad.toml").write_text(POLICY + "\nrule = 1")
    assert "line 10: unknown key `rule`" in run("policy", "check", data_dir / "bad.toml", code=1)
    (mistake,) = json.loads(run("policy", "check", data_dir / "bad.toml", "--json", code=1))["mistakes"]
    assert 10 == mistake["line"]
    run("policy", "check", data_dir / "none.toml", code=1)


def test_samples_are_held_against_the_policy(data_dir: Path) -> None:
    """As TOML or JSONL; what differs is said by number, without a word of the text."""
    good = [
        {"text": "write to jane@example.org", "expect": "redact"},
        {"text": "write to jane@example.org", "expect": {"EMAIL_ADDRESS": "alert"}, "token": "support"},
        {"text": "hello", "key": "jane@example.org", "expect": "block"},
        {"text": "hello", "expect": "pass"},
    ]
    lines = data_dir / "samples.jsonl"
    lines.write_text("\n".join(json.dumps(sample) for sample in good))
    assert "4 of 4 samples as expected" in run("policy", "test", lines, "--data-dir", data_dir)
    toml = data_dir / "samples.toml"
    toml.write_text('[[samples]]\ntext = "write to jane@example.org"\nexpect = "block"\n')
    shown = run("policy", "test", toml, "--data-dir", data_dir, code=1)
    assert "sample 1: expected block, got redact" in shown
    assert "jane" not in shown
    for broken in ('[[samples]]\ntext = "jane"', "jane =", '[[samples]]\ntext = "jane"\nexpect = { X = "no" }'):
        toml.write_text(broken)
        assert "jane" not in run("policy", "test", toml, "--data-dir", data_dir, code=1)


def test_replay_reads_what_was_recorded(data_dir: Path) -> None:
    """The table has what was done and what would be; how far back it looks can be said in three ways."""
    finding = RecordedFinding(entity="EMAIL_ADDRESS", score=1, field="value", action=Action.BLOCK)
    now = datetime.now(UTC)
    given: dict[str, Any] = {"route": "/add", "policy": "p", "detectors": "d", "findings": [finding]}
    records = [
        DecisionRecord(time=now - age, decision_id="0" * 16, **given) for age in (timedelta(0), timedelta(days=3))
    ]
    folder = data_dir / "decisions"
    folder.mkdir()
    for record in records:
        (folder / f"{record.time.date()}.jsonl").write_text(record.model_dump_json() + "\n")
    for since, count in (("30d", 2), ("12h", 1), (f"{now.date() - timedelta(days=1)}", 1), ("1w", 2)):
        shown = json.loads(run("policy", "replay", "--data-dir", data_dir, "--since", since, "--json"))
        (mail,) = shown["entities"]
        assert ("EMAIL_ADDRESS", {"block": count}, {"redact": count}) == (
            mail["entity"],
            mail["recorded"],
            mail["replayed"],
        )
    assert "2 requests with findings: 2 blocked as recorded, 0 as replayed" in run(
        "policy", "replay", "--data-dir", data_dir
    )
    run("policy", "replay", "--data-dir", data_dir, "--since", "yesterday", code=2)


def test_receipts_are_verified_with_a_key_file(tmp_path: Path) -> None:
    """What holds is told line by line; what does not, and a key that is none, is code 1."""
    signer = ReceiptSigner(load_keys(generate_key()))
    receipt = signer.sign(DecidedFacts("d-1", 0, None, "/add", "p1", "d1", Outcome.LET_IN, {}))
    key = tmp_path / "key.json"
    key.write_text(json.dumps(signer.public_keys))
    assert "nothing was found" in run("receipt", "verify", receipt, "--key", key)
    assert "d-1" == json.loads(run("receipt", "verify", receipt, "--key", key, "--json"))["jti"]
    assert "the receipt is invalid" in run("receipt", "verify", receipt + "x", "--key", key, code=1)
    key.write_text("no key")
    run("receipt", "verify", receipt, "--key", key, code=1)
    run("receipt", "verify", receipt, "--key", tmp_path / "none", code=1)

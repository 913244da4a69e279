"""Every command of the program does its work against a running system; a new one is missed here until it is tried."""

import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from conftest import StartSystem, System
from servers.program import Program
from vestibule.cli.main import app
from vestibule.cli.options import DEVELOPMENT_TOKEN

# These run until they are stopped, or for long; the tests of each are elsewhere.
TRIED_ELSEWHERE = {
    "up": "test_start_and_stop.py",
    "serve": "test_store_servers.py",
    "worker": "test_store_servers.py",
    "bench": "test_bench.py",
    "canary": "test_canary.py",
    "secrets install": "test_secrets_of_parts.py",
}
BINARY = b"\x89PNG\xff\xfe"


@pytest.fixture(scope="module")
def system(start_for_module: StartSystem) -> System:
    """One of its own: lists must be empty here, and keys are rotated."""
    return start_for_module()


@pytest.fixture(scope="module")
def program(system: System, tmp_path_factory: pytest.TempPathFactory) -> Program:
    return Program(system, tmp_path_factory.mktemp("config"))


def test_entries(program: Program) -> None:
    """What is stored comes back byte for byte; a binary value is wrong usage, and never a traceback."""
    stored = "first line\nsecond line\n"
    assert "lines written as version 1" == program("add", "lines", "-", given=stored)
    assert stored.strip() == program("read", "lines")
    result = CliRunner().invoke(app, ["read", "lines", "--raw"], env=program.environment)
    assert stored.encode() == result.stdout_bytes
    assert "byte 1 is invalid" in " ".join(program("add", "lines", "-", given=BINARY, code=2).split())
    assert "lines" in program("list", "lin").splitlines()
    version, written, token, value = program("entry", "history", "lines").split("\t")
    assert ("1", "development", r"first line\nsecond line\n") == (version, token, value)
    assert re.fullmatch(r"20\d\d-.*Z", written)
    assert stored.strip() == program("entry", "reveal", "lines", "--reason", "a test")
    assert "not kept" in program("entry", "reveal", "lines", "--version", "9", "--reason", "a test", code=5)
    assert "lines deleted" == program("entry", "delete", "lines")
    assert "No entry has that key" in program("entry", "delete", "lines", code=5)
    assert "Key not found" in program("read", "lines", code=5)
    problem = program.run(("read", "lines", "--json"))
    assert (5, "/problems/key-not-found") == (problem.exit_code, json.loads(problem.stdout)["type"])


def test_audit(program: Program, tmp_path: Path) -> None:
    """What the commands before did is listed, exported and verified; a head that is none is refused."""
    assert "policy_changed" in program("audit", "list", "--limit", "500")
    head, file = tmp_path / "head.json", tmp_path / "audit.jsonl"
    head.write_text(program("audit", "head"))
    assert "are exported to" in program("audit", "export", "--to", str(file), "--format", "ocsf")
    assert "The audit is whole up to line" in program("audit", "verify", str(file), "--head", str(head))
    head.write_text("{}")
    assert "is no head of an audit" in program("audit", "verify", "--head", str(head), code=1)
    assert "No such file" in program("audit", "verify", "--head", str(tmp_path / "none"), code=1)
    assert "--position" in program("audit", "export", "--to", "udp://127.0.0.1:9", code=2)


def test_tasks(program: Program, wait_until: Any) -> None:
    """A task is started, waited for, listed, cancelled and retried; one that has not ended in time says so."""
    program("add", "words", "some words")
    assert "SOME WORDS" == program("run", "words", "--wait", "20s")
    task_id = program("message", "-", given="more words")
    assert "byte 1 is invalid" in " ".join(program("message", "-", given=BINARY, code=2).split())
    assert "MORE WORDS" == program("task", "wait", task_id)
    assert "MORE WORDS" == program("task", task_id)
    assert "succeeded" == json.loads(program("task", "show", task_id, "--json"))["state"]
    # The end is told before the ledger of the list has it.
    wait_until(lambda: task_id in program("task", "list", "--state", "succeeded", "--limit", "1000"), what="the list")
    assert "task_accepted" in program("trace", task_id)
    assert "another state" in program("task", "cancel", task_id, code=6)
    assert "another state" in program("task", "retry", task_id, code=6)
    assert "another state" in program("task", "drop", task_id, code=6)
    late = program("run", "words", "--delay", "1h")
    for wanted in (("task", "wait", late, "--for", "0.1"), ("task", "show", late, "--wait", "0.1")):
        assert f"`vestibule task wait {late}` goes on waiting" in program(*wanted, code=8)
    assert f"{late} is cancelled" == program("task", "cancel", late)
    assert "cancelled" == program("task", "show", late, code=1)
    assert f"{late} is queued" == program("task", "retry", late)
    assert "succeeded" in program("task", "counts")
    assert "must be a number of seconds" in " ".join(program("task", "list", "--older-than", "long", code=2).split())
    assert task_id not in program("task", "list", "--older-than", "1d")
    assert "No task matches" in program("task", "bulk", "retry", "--state", "dead")
    assert "" == program("dead", "list")
    assert [] == json.loads(program("dead", "list", "--json"))
    assert "not found" in program("dead", "drop", "0b7c5a3e-6d0f-4a43-9c55-0a7d6a2f6f0e", code=5)
    assert "uppercase" in program("processors")


def test_schedules_and_the_queue(program: Program) -> None:
    """A schedule is added, run by hand, paused and deleted; a processor is paused and resumed."""
    waiting = program("schedule", "add", "--cron", "0 0 29 2 *", "--text", "later").split()[0]
    assert waiting in program("schedule", "list")
    assert "next\t20" in program("schedule", "show", waiting)
    assert f"{waiting} is paused" == program("schedule", "pause", waiting)
    assert "LATER" in program("schedule", "run", waiting, "--wait", "30")
    assert f"{waiting} is active, next 20" in program("schedule", "resume", waiting)
    assert f"{waiting} deleted" == program("schedule", "delete", waiting)
    assert "redact is paused" in program("queue", "pause", "--processor", "redact", "--reason", "tried")
    assert "paused, redact\tsince 20" in program("queue", "show")
    assert "redact is resumed" in program("queue", "resume", "--processor", "redact", "--reason", "tried")
    assert "worker1\talive\t" in program("workers")


def test_alerts_and_availability(program: Program, system: Any, wait_until: Any) -> None:
    """A finding is followed to its end; nothing is silenced by oversight."""
    refused = program("add", "leak", "write to jane.roe.0077@example.org", code=3)
    alert_id = refused.split("alert ")[1].split()[0]
    group = wait_until(lambda: system.http.get(f"/alerts/{alert_id}").json().get("group"), what="the alert's group")
    assert alert_id in program("alert", "list", "--limit", "500", "--type", "PersonalData", "--since", "1h")
    assert alert_id in program("alerts", "--limit", "500")
    assert "PersonalData" in program("alert", "types")
    assert f"{alert_id} is acknowledged" in program("alert", "ack", alert_id, "--reason", "looking into it")
    assert "state\tacknowledged" in program("alert", "show", alert_id)
    assert f"{alert_id} is resolved" in program("alert", "resolve", alert_id)
    assert group["id"] in program("alert", "groups", "--state", "resolved")
    assert "--severity: Input should be" in program("alert", "list", "--severity", "no-such", code=1)
    assert "give --type" in " ".join(program("silence", "add", "--reason", "a drill", code=2).split())
    drill = ("--reason", "a drill of every command", "--entity", "IBAN_CODE")
    assert "silences entity IBAN_CODE until" in program("silence", "add", *drill, "--for", "36s")
    (silence,) = [one for one in json.loads(program("silence", "list", "--json")) if one["reason"] == drill[1]]
    assert "until" in program("silence", "extend", silence["id"], "--for", "1h", "--reason", "it takes longer")
    assert "it takes longer" in program("silence", "show", silence["id"])
    assert "is ended" in program("silence", "end", silence["id"])
    assert "Silence not found" in program("silence", "end", silence["id"], code=5)
    assert "delivered by log" in program("channel", "test", "log", "--here")
    assert "must be one of" in program("channel", "test", "pigeon", "--here", code=2)
    assert "log" in program("channel", "list")
    assert "log: delivered" == program("channel", "test", "log")
    program("heartbeat", "ping", "every-command", "--period", "1d")
    assert "every-command\tup\t20" in program("heartbeat", "list")
    program("heartbeat", "delete", "every-command")
    window = json.loads(program("maintenance", "start", "business_logic", "--for", "1m", "--reason", "drill", "--json"))
    assert window["id"] in program("maintenance", "list")
    program("maintenance", "end", window["id"])
    assert "database\tup\t20" in program("status")
    assert "request" in program("logs", "--since", "10m")


def test_servers(program: Program, system: Any) -> None:
    """A server that has a name is spoken to by it; what the variables say is for others."""
    program("server", "add", "own", system.url, "--scheduler-url", system.part_url(3), "--token", "-", given="no-token")
    assert "own\t" in program("server", "list")
    program("server", "use", "own")
    assert "Missing or unknown token" in program("entry", "list", "--server", "own", code=4)
    program("server", "add", "own", system.url, "--token", "-", given=DEVELOPMENT_TOKEN)
    program("entry", "list", "--server", "own")
    program("server", "remove", "own")


def test_scanning_and_policy(program: Program, system: Any, tmp_path: Path) -> None:
    """Texts are scanned, a policy is checked, and a receipt is verified; a file that is missing is named."""
    assert "EMAIL_ADDRESS" in program("scan", "write to jane.roe@example.org", code=1)
    assert "no file or folder" in " ".join(program("scan", "missing.txt", code=2).split())
    assert "EMAIL_ADDRESS" in program("detectors")
    receipt = json.loads(program("add", "kept", "some text", "--receipt", "--json"))["receipt"]
    assert "The receipt is valid." in program("receipt", "verify", receipt)
    assert "is invalid" in program("receipt", "verify", "-", given="no receipt", code=1)
    refused = json.loads(program("receipt", "verify", "-", "--json", given="no receipt", code=1))
    assert "/problems/command-failed" == refused["type"]
    assert "Decision not found" in program("receipt", "get", "0123456789abcdef", code=5)
    program("receipt", "verify", "-", given=BINARY, code=2)
    keys = tmp_path / "keys.json"
    keys.write_text(program("receipt", "key"))
    assert (
        [keys.read_text()]
        != program("receipt", "key", "--json").splitlines()
        == [json.dumps(json.loads(keys.read_text()))]
    )
    assert "The receipt is valid." in program("receipt", "verify", receipt, "--key", str(keys))
    policy, samples = tmp_path / "policy.toml", tmp_path / "samples.toml"
    policy.write_text('default = "block"\n')
    samples.write_text('[[samples]]\ntext = "hello"\nexpect = "pass"\n')
    for verb in ("check", "test"):
        assert "cannot be read" in program("policy", verb, str(tmp_path / "missing.toml"), code=1)
    for place in ((), ("--url", system.url)):
        assert "is valid: version" in program("policy", "check", str(policy), *place)
        assert "1 of 1 samples as expected" in program("policy", "test", str(samples), "--policy", str(policy), *place)
        assert "version\t" in program("policy", "show", *place)
        assert "requests with findings" in program("policy", "replay", "--since", "1h", *place)
    policy.write_text('default = "block"\nrule = 1\n')
    for place in ((), ("--url", system.url)):
        assert "line 2: unknown key `rule`" in program("policy", "check", str(policy), *place, code=1)
        assert not json.loads(program("policy", "check", str(policy), "--json", *place, code=1))["valid"]
    alert_id = system.add("a-note", "write to jane.false.alarm@example.org").json()["alert_id"]
    allowed = program("allowance", "add", alert_id, "--reason", "a drill", "--for", "1h").split()[0]
    assert f"{allowed}\t" in program("allowance", "list")
    assert "is revoked" in program("allowance", "revoke", allowed)
    # The command in reports of before.
    again = program("policy", "allow", alert_id, "--reason", "a drill", "--hours", "1").split()[0]
    assert again in program("policy", "allowances")
    program("policy", "revoke", again)
    program("config")
    program("doctor", "--only", "python", "--only", "settings")
    program("plan", "--connections", "10")


def test_decisions(program: Program, system: Any, wait_until: Any) -> None:
    """A decision is listed, counted and traced, and those to come are followed."""
    decision_id = system.add("decided", "write to jane.decision@example.org").json()["decision_id"]
    wait_until(lambda: decision_id in program("decision", "list", "--outcome", "blocked"), what="the record")
    assert "EMAIL_ADDRESS" in program("decision", "list", "--entity", "EMAIL_ADDRESS", "--since", "1h", "--limit", "1")
    assert "EMAIL_ADDRESS" in program("decision", "counts", "--since", "1d")
    assert "decision" in program("trace", decision_id)
    assert decision_id in program("receipt", "get", decision_id, "--json")
    with ThreadPoolExecutor() as others:
        following = others.submit(program, "decision", "follow", "--outcome", "blocked", "--limit", "1", "--json")
        wait_until(lambda: system.add("seen", "of jane.seen@example.org").status_code and following.done(), what="one")
        assert "blocked" == json.loads(following.result())["outcome"]
    assert "Trace not found" in program("trace", "no-such-id", code=5)


def test_subjects(program: Program) -> None:
    """A value comes by standard input alone; a receipt of its erasure can be verified."""
    program("add", "customer", "about Ada Lovelace-Byron")
    given = {"given": "Ada Lovelace-Byron\n"}
    assert "customer version 1" in program("subject", "find", "-", "--reason", "Request 4711", **given)
    assert "customer" in program("subject", "erase", "-", "--reason", "Request 4711", "--dry-run", **given)
    assert "others can see" in " ".join(program("subject", "find", "Ada", "--reason", "why", code=2).split())
    erased = json.loads(program("subject", "erase", "-", "--reason", "Request 4711", "--json", **given))
    assert {"entry": 1} == {kind: count for kind, count in erased["counts"].items() if kind != "reply"}
    assert "erased\t1 entry" in program("receipt", "verify", erased["receipt"])
    assert erased["receipt"] == program("subject", "receipt", erased["erasure_id"])
    assert "state\tfinished" in program("subject", "show", erased["erasure_id"])
    assert "not found" in program("subject", "show", "0" * 32, code=5)
    assert "ID: must be as a list" in program("subject", "show", "no-id", code=1)
    assert "Key not found" in program("read", "customer", code=5)


def test_database_keys_and_tokens(program: Program, system: Any, tmp_path: Path) -> None:
    """The commands of an operator, on copies where they would change the system for others."""
    program("add", "backed-up", "some text")
    assert "is sound" in program("db", "check")
    assert "needs no migration" in program("db", "migrate", code=1)
    program("db", "backup", str(tmp_path / "backup.db"))
    program("db", "export", str(tmp_path / "entries.jsonl"))
    copy = tmp_path / "copy"
    shutil.copytree(system.data_dir / "keys", copy / "keys")
    program("db", "restore", str(tmp_path / "backup.db"), data_dir=copy)
    program("db", "import", str(tmp_path / "entries.jsonl"), data_dir=copy)
    assert "No database was created here." == program("db", "adopt", data_dir=copy)
    (tmp_path / "binary").write_bytes(BINARY)
    for source in ("binary", "missing"):
        program("db", "import", str(tmp_path / source), data_dir=copy, code=1)
        program("db", "restore", str(tmp_path / source), data_dir=copy, code=1)

    old = json.loads(program("keyring", "list", "--json", data_dir=copy))
    program("keyring", "rotate", data_dir=copy)
    program("keyring", "rewrap")
    program("keyring", "check")
    assert len(json.loads(program("keyring", "list", "--json", data_dir=copy))) == len(old) + 1
    program("keyring", "retire", "no-such-key", data_dir=copy, code=5)
    program("keyring", "secret", data_dir=copy)

    token = program("token", "create", "--name", "every-command", "--scope", "read")
    with system.client(token) as client:
        assert 404 == client.get("/read", params={"key": "no-such-key"}).status_code
    (record,) = [line for line in program("token", "list").splitlines() if "every-command" in line]
    program("token", "rotate", record.split()[0], "--overlap", "0s")
    assert "is revoked" in program("token", "revoke", record.split()[0])
    assert "no token has that id" in program("token", "revoke", record.split()[0], code=5)
    over = ("--url", system.url)
    assert "the development token" in program("token", "self")
    made = json.loads(program("token", "create", "--name", "over-the-api", "--role", "developer", "--json", *over))
    assert made["id"] in program("token", "list", *over)
    assert "Token not found" in program("token", "rotate", "no-such-token", *over, code=5)
    program("token", "rotate", made["id"], "--overlap", "1h", *over)
    program("token", "revoke", made["id"], *over)
    assert "begin with a letter" in " ".join(
        program("token", "create", "--name", "x", "--scope", "read", "--tenant", "A B", code=2).split()
    )
    assert "kind: Secret" in program("secrets", "create")


def test_every_command_is_tried(program: Program, request: pytest.FixtureRequest) -> None:
    """Stands last: what no test above or elsewhere has run is named."""
    above = {item.name for item in request.session.items if item.path == request.path}
    if above != {name for name in globals() if name.startswith("test_")} or not program.tried:
        pytest.skip("the tests above are not in this run")
    assert not program.known - program.tried - TRIED_ELSEWHERE.keys()
    for name in TRIED_ELSEWHERE.values():
        assert list(Path(__file__).parents[1].rglob(name)), name

"""Every example of every help text can be typed as it stands."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path
from secrets import token_hex

import pytest

from conftest import StartSystem, System, wait_until
from servers.program import Program, commands, examples

# Run for long, need another server, or can be done once in ten seconds; each is tried elsewhere.
TRIED_ELSEWHERE = frozenset(
    {
        "vestibule bench",
        "vestibule bench http://127.0.0.1:8000 --route scan --for 10s --connections 50",
        "vestibule db adopt",
        "vestibule db export --drained entries.jsonl",
        "vestibule db import entries.jsonl --data-dir new",
        "vestibule db restore before.db --replace",
        "vestibule secrets install --by-part /run/mounted-secrets /run/secrets/vestibule",
        "vestibule serve business-logic",
        "vestibule serve client",
        "vestibule worker --name worker-%h",
        "vestibule worker --name worker1 --concurrency 2",
        "vestibule audit export --to tcp://siem:514 --format ocsf --position siem.position --follow",
        "vestibule canary",
        "vestibule canary --url http://127.0.0.1:8000 --data-dir var",
        "vestibule channel test log",
        "vestibule decision follow --entity EMAIL_ADDRESS",
        "vestibule decision follow --limit 3 --json",
        "vestibule decision follow --outcome blocked",
        "vestibule keyring secret",
    }
)
# Those that say something else than "done", and why.
OTHER_CODES = {
    "vestibule add note hello --create-only --json": 6,  # there is one
    "vestibule db migrate": 1,  # SQLite needs none
    "vestibule entry delete note --if-version 2": 6,  # the entry is at another version
    "vestibule keyring retire ID --yes": 1,  # it was replaced just now
    "vestibule task drop ID": 6,  # it is not dead
    "vestibule task retry ID": 6,  # it has succeeded
}
KEYS = ("note", "order", "picture", "report")
Make = Callable[[Program], str]


def _late_task(program: Program) -> str:
    return program("run", "note", "--delay", "1h")


def _done_task(program: Program) -> str:
    task_id = program("run", "note")
    program("task", "wait", task_id)
    return task_id


def _request(program: Program) -> str:
    (last,) = json.loads(program("task", "list", "--state", "succeeded", "--limit", "1", "--json"))
    return str(last["request_id"])


def _schedule(program: Program) -> str:
    return program("schedule", "add", "--text", "hello", "--every", "1h").split()[0]


def _window(program: Program) -> str:
    return program("maintenance", "start", "business_logic", "--for", "1m").partition(":")[0]


def _refusal(program: Program) -> dict[str, str]:
    """Return the problem of a value that is refused; it is another value each time."""
    value = f"write to jane.{token_hex(6)}@example.org"
    problem: dict[str, str] = json.loads(program.run(("add", "refused", value, "--json")).stdout)
    return problem


def _alert(program: Program) -> str:
    alert_id = _refusal(program)["alert_id"]
    _until(lambda: "group\t" in program("alert", "show", alert_id))
    return alert_id


def _decision(program: Program) -> str:
    decision_id = _refusal(program)["decision_id"]
    _until(lambda: program.run(("receipt", "get", decision_id)).exit_code == 0)
    return decision_id


def _silence(program: Program) -> str:
    return program("silence", "add", "--entity", "IBAN_CODE", "--reason", "a drill").split()[0]


def _allowance(program: Program) -> str:
    return program("allowance", "add", _alert(program), "--reason", "a drill").split()[0]


def _erasure(program: Program) -> str:
    erased = program("subject", "erase", "-", "--reason", "Request 4711", "--json", given="Ada Lovelace-King\n")
    return str(json.loads(erased)["erasure_id"])


def _token(program: Program) -> str:
    return str(json.loads(program("token", "create", "--name", "example", "--scope", "read", "--json"))["id"])


def _old_key(program: Program) -> str:
    key_id = json.loads(program("keyring", "rotate", "--json"))["id"]
    program("keyring", "rotate")
    return str(key_id)


def _until(condition: Callable[[], bool]) -> None:
    wait_until(condition, what="the record of what was refused")


# What ID stands for in the examples of a command, or of all verbs of a noun.
IDS: dict[str, Make] = {
    "alert": _alert,
    "allowance": _allowance,
    "allowance add": _alert,
    "keyring": _old_key,
    "receipt": _decision,
    "silence": _silence,
    "subject": _erasure,
    "token": _token,
    "trace": _decision,
    "task": _done_task,
    "task cancel": _late_task,
    "schedule": _schedule,
    "maintenance": _window,
    "server logs": _request,
}


@pytest.fixture(scope="module")
def system(start_for_module: StartSystem) -> System:
    """One of its own: examples leave schedules, silences, allowances and keys behind."""
    return start_for_module()


@pytest.fixture(scope="module")
def folder(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working directory, with files that examples name."""
    made = tmp_path_factory.mktemp("files")
    (made / "policy.toml").write_text('default = "block"\n')
    (made / "samples.toml").write_text('[[samples]]\ntext = "hello"\nexpect = "pass"\n')
    (made / "notes.txt").write_text("nothing of anybody\n")
    (made / "detectors").mkdir()
    (made / "gitleaks.toml").write_text("[[rules]]\nid = 'acme-key'\nregex = 'acme_([a-z0-9]{8})'\n")
    (made / "recognizers.yaml").write_text("recognizers: [{name: Own, supported_entity: OWN, deny_list: [acme]}]\n")
    (made / "value.txt").write_text("Ada Lovelace-King\n")
    for name, source in (("ring.json", "keyring.json"), ("service_secret", "service_secret")):
        shutil.copy(system.data_dir / "keys" / source, made / name)
    with chdir(made):
        yield made


@pytest.fixture(scope="module")
def program(system: System, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """A system with the entries that examples name, and a server named prod."""
    made = Program(system, tmp_path_factory.mktemp("config"))
    made.names = {
        "http://127.0.0.1:8000": system.url,
        "RECEIPT": json.loads(made("add", "note", "hello", "--receipt", "--json"))["receipt"],
    }
    (folder / "receipt.txt").write_text(made.names["RECEIPT"])
    (folder / "key.json").write_text(made("receipt", "key"))
    (folder / "head.json").write_text(made("audit", "head"))
    made("audit", "export", "--to", "audit.jsonl")
    made("server", "add", "prod", "https://vestibule.example.org")
    for key in KEYS:
        made("add", key, "hello")
    return made


# Each once; where a noun and its verb have the same, that of the verb.
EXAMPLES = [(words, line) for line, words in {line: words for words, line in examples()}.items()]
EXAMPLES = [(words, line) for words, line in EXAMPLES if line not in TRIED_ELSEWHERE]


@pytest.mark.parametrize(("words", "line"), EXAMPLES, ids=[line for _, line in EXAMPLES])
def test_an_example_works(words: str, line: str, program: Program) -> None:
    """With the names that stand in it, and the exit code that it should have."""
    program("add", "note", "hello")
    make = IDS.get(words) or IDS.get(words.partition(" ")[0])
    names = {"ID": make(program)} if make and " ID" in line else {}
    done = program.run_line(line, program.names | names)
    assert OTHER_CODES.get(line, 0) == done.exit_code, done.output


def test_every_exception_is_an_example() -> None:
    """What is gone leaves the tables."""
    lines = {line for _, line in examples()}
    names = {words for words, _ in commands()}
    assert set() == (OTHER_CODES.keys() | TRIED_ELSEWHERE) - lines
    assert set() == IDS.keys() - names

"""Each part of a system on one machine has its own secrets in its environment, and no other part's."""

from pathlib import Path

import pytest

SECRETS = {
    "VESTIBULE_CALLBACK_SECRET": "callbacks-5f1c",
    "VESTIBULE_FORWARD_SECRET": "forwards-77ab",
    "VESTIBULE_ALERT_WEBHOOK_SECRET": "notices-90de",
    "VESTIBULE_ALERT_EMAIL_PASSWORD": "mails-31bc",
    "VESTIBULE_DATABASE_URL": "sqlite:",
    "VESTIBULE_TOKEN": "vst_of-a-caller-4d2e",
    "PGPASSWORD": "postgres-19ce",
    "AWS_SECRET_ACCESS_KEY": "aws-52fd",
}
NOTICES = {"VESTIBULE_ALERT_WEBHOOK_SECRET", "VESTIBULE_ALERT_EMAIL_PASSWORD"}
EXPECTED = {
    ("serve", "client"): {"VESTIBULE_CALLBACK_SECRET"} | NOTICES,
    ("serve", "database"): {"VESTIBULE_DATABASE_URL", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY"} | NOTICES,
    ("serve", "business-logic"): {"VESTIBULE_FORWARD_SECRET"} | NOTICES,
    ("serve", "scheduler"): NOTICES,
    ("serve", "console"): set(),
    ("worker", "worker1"): {"VESTIBULE_FORWARD_SECRET"},
    ("worker", "worker2"): {"VESTIBULE_FORWARD_SECRET"},
    ("valkey-server",): set(),
}


pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads /proc")


def test_forked_parts_show_no_secret(start):
    """They get theirs after the fork; /proc shows what the process that forks them has, which is none."""
    system = start(VESTIBULE_CONSOLE="on", **SECRETS)
    processes = {words: system.processes(*words) for words in [*EXPECTED, ("fork server",)]}
    assert all(processes.values()), processes
    for process in [one for found in processes.values() for one in found]:
        shown = Path(f"/proc/{process.pid}/environ").read_bytes().decode()
        assert [] == [name for name, secret in SECRETS.items() if name in shown or secret in shown]


def test_each_part_has_its_own_secrets_alone(start):
    """As /proc shows the environment of every process, those of a worker's pool among them."""
    system = start("--no-prefork", VESTIBULE_CONSOLE="on", **SECRETS)
    for words, expected in EXPECTED.items():
        processes = system.processes(*words)
        assert processes, words
        for process in processes:
            lines = Path(f"/proc/{process.pid}/environ").read_bytes().decode().split("\0")
            given = dict(line.split("=", 1) for line in lines if "=" in line)
            assert (words, expected) == (words, given.keys() & SECRETS.keys())
            assert {name: SECRETS[name] for name in expected} == {name: given[name] for name in expected}

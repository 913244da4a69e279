"""Fills a system so that every page of the console has something to show, as a day of real use would."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

# A processor whose receiver is away, for tasks that fail.
PROCESSORS = """
from vestibule.processing import ProcessingInterrupted


class CrmExport:
    name, description, examples = "crm_export", "Hands a text to the customers' database.", ()

    def process(self, data):
        raise ProcessingInterrupted("The receiver is away.", cause="http_503")


PROCESSORS = (CrmExport(),)
"""
KEYS = (
    "orders/2026/1180",
    "orders/2026/1181",
    "customers/4711/note",
    "customers/4712/note",
    "reports/weekly",
    "greeting",
)
PERSON = "jane.roe.0815@example.org"


def write_processors(folder: Path) -> Path:
    """Write the processor that fails into a folder, for VESTIBULE_PROCESSORS_DIR, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "own.py").write_text(PROCESSORS)
    return folder


def fill(http: httpx.Client, scheduler: str, requests: int = 60) -> None:
    """Send what callers send, good and bad, and do what operators do; `http` has a token with all scopes."""
    made = [
        http.post("/tokens", json={"name": name, "scopes": scopes}).json()
        for name, scopes in (("web-shop", ["add", "run", "read"]), ("crm", ["add", "message"]))
    ]
    callers = [{"Authorization": f"Bearer {one['token']}"} for one in made if "token" in one] or [{}]
    pick = random.Random(7)
    for number in range(requests):
        text = pick.choice(
            ("hello", "order shipped", f"write to {PERSON}", "card 4111 1111 1111 1111", "a longer note")
        )
        sent = {"key": pick.choice(KEYS), "value": f"{text} {number}"}
        http.post("/add", json=sent, headers=pick.choice(callers))
    http.post("/messages", json={"text": f"please call {PERSON}", "source": "mailbox"}, headers=callers[-1])
    for key in KEYS:
        http.post("/add", json={"key": key, "value": "ready"})
        http.post("/run", json={"key": key})
        http.post("/run", json={"key": key, "processor": "crm_export"})
    http.post("/run", json={"key": "greeting", "delay_s": 3600, "priority": "low"})
    http.post("/schedules", json={"key": "reports/weekly", "processor": "uppercase", "cron": "0 6 * * 1"})
    http.post("/schedules", json={"key": "greeting", "processor": "uppercase", "every_s": 3600})
    until = (datetime.now(UTC) + timedelta(minutes=30)).isoformat()
    http.post("/silences", json={"hours": 1, "reason": "migration of the web shop", "entity": "CREDIT_CARD"})
    http.post("/allowances", json=_allowance_of(http))
    http.post("/subjects/find", json={"value": PERSON, "reason": "asked for what is stored"})
    http.post("/queue/pause", json={"processor": "normalize", "reason": "receiver is rebuilt"})
    http.post(f"{scheduler}/heartbeats/nightly-backup", params={"period_s": 86400, "grace_s": 3600})
    window = {"part": "business_logic", "until": until, "reason": "new version"}
    http.post(f"{scheduler}/maintenance", json=window)
    http.get("/keys", headers={"Authorization": "Bearer nobody-knows-this"})


def _allowance_of(http: httpx.Client) -> dict[str, Any]:
    alerts = http.get("/alerts", params={"limit": 50}).json().get("alerts", [])
    known = [one["id"] for one in alerts if one.get("fingerprint")]
    return {"alert_id": known[0] if known else "none", "reason": "our own address", "hours": 24}

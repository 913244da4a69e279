"""Entries as a caller uses them: conditional, expiring, in batches, listed and deleted."""

import json
import os
import shutil
import subprocess
import sys

import pytest


def _vestibule(system, *words, expect=0):
    """Run the program against the system and return what it prints."""
    environment = {**os.environ, "VESTIBULE_URL": system.url}
    command = [sys.executable, "-m", "vestibule", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert expect == done.returncode, done.stdout + done.stderr
    return done.stdout.strip()


def test_an_entry_is_changed_on_condition(system):
    """Only the expected version is overwritten or deleted; a 412 has the current one and changes nothing."""
    pair = {"key": "conditional", "value": "one"}
    steps = [
        ("If-None-Match", "*", 200),
        ("If-None-Match", "*", 412),
        ("If-Match", '"1"', 200),
        ("If-Match", '"1"', 412),
        ("If-Match", "*", 200),
    ]
    answers = [system.http.post("/add", json=pair, headers={name: value}) for name, value, _ in steps]
    assert [status for _, _, status in steps] == [answer.status_code for answer in answers]
    assert (1, 2) == (answers[1].json()["current_version"], answers[3].json()["current_version"])
    delete = {"method": "DELETE", "url": "/delete", "params": {"key": "conditional"}}
    assert 412 == system.http.request(**delete, headers={"If-Match": '"2"'}).status_code
    assert system.http.request(**delete, headers={"If-Match": '"3"'}).json()["deleted"]
    assert not system.http.request(**delete).json()["deleted"]


@pytest.mark.parametrize(
    ("known", "status"),
    [('"1"', 304), ('"7", W/"1"', 304), ("*", 304), ('"2"', 200), ('W/"2", "3"', 200), ("1", 200)],
)
def test_an_unchanged_entry_is_a_304(system, known, status):
    """`If-None-Match` takes lists, weak tags and `*`; what cannot be parsed is ignored."""
    key = f"known {known.encode().hex()}"
    system.add(key, "x")
    answer = system.http.get("/read", params={"key": key}, headers={"If-None-Match": known})
    assert (status, '"1"') == (answer.status_code, answer.headers["etag"])


def test_an_entry_expires(system, wait_until):
    """With `ttl_s`, as JSON or in the query, the entry exists until it expires."""
    as_json = system.http.post("/add", json={"key": "short-1", "value": "x", "ttl_s": 1}).json()
    in_query = system.http.post("/add", params={"key": "short-2", "value": "x", "ttl_s": 1}).json()
    assert {"expires_at"} <= as_json.keys() & in_query.keys()
    for key in ("short-1", "short-2"):
        path = f"/read?key={key}"
        wait_until(lambda path=path: system.http.get(path).status_code == 404, what="the expiry")
    assert [] == system.http.get("/keys", params={"prefix": "short-"}).json()["keys"]


def test_each_entry_of_a_batch_is_screened(system):
    """All entries are stored with a decision each, or none if one is rejected or has another version; see `index`."""
    pairs = [{"key": f"batch-{number}", "value": f"value {number}"} for number in range(3)]
    added = system.http.post("/add/batch", json={"pairs": pairs}).json()["added"]
    assert [("written", pair["key"], 1) for pair in pairs] == [(a["status"], a["key"], a["version"]) for a in added]
    assert 3 == len({one["decision_id"] for one in added})
    signed = system.http.post("/add/batch", json={"pairs": pairs}, headers={"Prefer": "receipt"})
    assert ("receipt", 3) == (
        signed.headers["preference-applied"],
        len({one["receipt"] for one in signed.json()["added"]}),
    )
    leaking = [*pairs, {"key": "batch-3", "value": "write to jane.roe@example.org"}]
    refused = system.http.post("/add/batch", json={"pairs": leaking})
    assert (422, 3, "EMAIL_ADDRESS") == (
        refused.status_code,
        refused.json()["index"],
        refused.json()["findings"][0]["entity"],
    )
    assert "alert_id" in refused.json()
    stale = [*pairs[:2], {**pairs[2], "expected_version": 9}]
    conflict = system.http.post("/add/batch", json={"pairs": stale})
    assert (412, 2, 2) == (conflict.status_code, conflict.json()["index"], conflict.json()["current_version"])
    versions = [system.http.get("/read", params={"key": pair["key"]}).json()["version"] for pair in pairs]
    assert [2, 2, 2] == versions
    assert 404 == system.http.get("/read?key=batch-3").status_code


def test_many_entries_are_read_at_once(system):
    """Entries are in the order of the request, null for none; too much for one reply is a 413."""
    for number in range(2):
        system.add(f"many-{number}", f"value {number}")
    read = system.http.post("/read/batch", json={"keys": ["many-1", "many-none", "many-0"]})
    entries = [{"key": f"many-{n}", "value": f"value {n}", "version": 1} for n in range(2)]
    assert {"entries": [entries[1], None, entries[0]]} == read.json()
    assert 422 == system.http.post("/read/batch", json={"keys": []}).status_code

    large = [f"large-{number}" for number in range(20)]
    for key in large:
        assert 200 == system.add(key, "x" * 1024 * 1024).status_code
    assert 413 == system.http.post("/read/batch", json={"keys": large}).status_code


@pytest.mark.parametrize(
    ("path", "body"),
    [("/add", {"key": "large", "value": "x"}), ("/messages", {"text": "x"}), ("/scan", {"text": "x"})],
)
def test_more_than_a_value_may_have_is_too_large(system, path, body):
    """A MiB is accepted, and a byte more is a 413 that names the member."""
    name = next(name for name, value in body.items() if value == "x")
    assert system.http.post(path, json={**body, name: "x" * 1024 * 1024}).is_success
    refused = system.http.post(path, json={**body, name: "x" * (1024 * 1024 + 1)})
    assert (413, f"`body/{name}` must be at most 1,048,576 bytes in UTF-8.") == (
        refused.status_code,
        refused.json()["detail"],
    )


def test_entries_are_listed_and_deleted(system):
    """Pages over HTTP and `vestibule entry list` give every key once and in order; `delete` removes one."""
    names = [f"to list {number}" for number in range(5)]
    for name in names:
        system.add(name, "x")
    first = system.http.get("/keys", params={"prefix": "to list", "limit": 3}).json()
    rest = system.http.get("/keys", params={"prefix": "to list", "limit": 3, "cursor": first["cursor"]}).json()
    assert names == first["keys"] + rest["keys"]
    assert "cursor" not in rest
    assert "\n".join(names) == _vestibule(system, "list", "to list")
    assert names[:2] == json.loads(_vestibule(system, "list", "to list", "--limit", "2", "--json"))
    assert "to list 0 deleted" == _vestibule(system, "delete", "to list 0")
    _vestibule(system, "delete", "to list 0", expect=5)
    assert names[1:] == _vestibule(system, "list", "to list").splitlines()


def test_listing_and_deleting_need_their_scopes(system):
    """A token that may add and read may neither list nor delete."""
    words = ("token", "create", "--name", "reader", "--scope", "add,read", "--data-dir", str(system.data_dir), "--json")
    token = json.loads(_vestibule(system, *words))["token"]
    with system.client(token) as reader:
        answers = [reader.get("/keys"), reader.delete("/delete", params={"key": "a"})]
    assert [(403, "keys"), (403, "delete")] == [(answer.status_code, answer.json()["scope"]) for answer in answers]


def test_conditions_and_lifetimes_on_the_command_line(system):
    """`--create-only`, `--if-version` and `--ttl` do what the headers and `ttl_s` do; a rejection is exit code 6."""
    assert "by hand written as version 1" == _vestibule(system, "add", "by hand", "one", "--create-only")
    _vestibule(system, "add", "by hand", "two", "--create-only", expect=6)
    assert "by hand written as version 2" == _vestibule(system, "add", "by hand", "two", "--if-version", "1")
    _vestibule(system, "delete", "by hand", "--if-version", "1", expect=6)
    kept = json.loads(_vestibule(system, "add", "by hand", "three", "--ttl", "10m", "--json"))
    assert (3, True) == (kept["version"], "expires_at" in kept)
    assert "by hand deleted" == _vestibule(system, "delete", "by hand", "--if-version", "3")


@pytest.mark.slow
def test_an_export_of_a_running_system_goes_into_another(system, tmp_path):
    """Entries are exported encrypted while the system runs, and imported unchanged, with their versions."""
    for value in ("one", "Zq7exported"):
        system.add("to be exported", value)
    export = tmp_path / "export.jsonl"
    _vestibule(system, "db", "export", str(export), "--data-dir", str(system.data_dir))
    assert b"Zq7exported" not in export.read_bytes()
    assert 0o600 == export.stat().st_mode & 0o777
    other = tmp_path / "other"
    (other / "keys").mkdir(parents=True)
    shutil.copy(system.data_dir / "keys" / "keyring.json", other / "keys")
    _vestibule(system, "db", "import", str(export), "--data-dir", str(other))
    lines = _vestibule(system, "db", "export", "--plain", "--data-dir", str(other)).splitlines()
    assert {"key": "default/to be exported", "value": "Zq7exported", "version": 2} in map(json.loads, lines[1:])
    export.write_text("no export")
    _vestibule(system, "db", "import", str(export), "--data-dir", str(other), expect=1)

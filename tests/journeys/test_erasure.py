"""Finding and erasing a subject: nothing that holds the value stays, in whatever form it was, and nothing else goes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache

import httpx
import pytest

from vestibule.client.receipts import verify_receipt
from vestibule.service_kit.auth.token_file import create_token

VALUE = "jane.erase.me@example.org"
LARGE_VALUES = 12
FOUND = "ada.find.me@example.org"
OTHER = "mary.ada.find.me@example.org"
REASON = "Request 4711"


@pytest.fixture(scope="module")
def systems(start_for_module):
    """Gives the system with a policy, which these tests share."""
    return cache(lambda policy: start_for_module(name=policy, VESTIBULE_POLICY=policy).ask_again())


@pytest.mark.parametrize("policy", ["alert", "tokenize"])
def test_every_form_of_a_value_is_erased(systems, policy):
    """Stored as it came, as a token or as a keyed hash: the entries are gone, and so is the result of a task."""
    system = systems(policy)
    assert 200 == system.add("held-1", f"write to {VALUE} today").status_code
    assert 200 == system.add("held-2", f"<{VALUE.upper()}>").status_code
    assert 200 == system.add("other-1", "write to mary.jane.erase.me@example.org").status_code
    assert 200 == system.add("other-2", "nothing about anybody").status_code
    ran = system.http.post("/run", params={"key": "held-1"}).json()
    assert "succeeded" == system.http.get(ran["status_url"], params={"wait": 20}).json()["state"]

    erased = system.http.request("DELETE", "/subjects", json={"value": VALUE})
    gone = ["held-1", "held-2"]
    assert (200, 4, len(gone)) == (
        erased.status_code,
        erased.json()["entries_examined"],
        erased.json()["entries_erased"],
    )
    assert 1 == erased.json()["results_erased"]
    for key in gone:
        assert 404 == system.http.get("/read", params={"key": key}).status_code
    for key in ("other-1", "other-2"):
        assert 200 == system.http.get("/read", params={"key": key}).status_code
    assert 1 == len(system.reports("SubjectErased"))
    assert VALUE.encode() not in system.everything_written()


def _fill(system):
    assert 200 == system.add("held", f"write to {FOUND} today").status_code
    assert 200 == system.add("held", f"now {FOUND.upper()}").status_code
    assert 200 == system.add("mail/whole", FOUND).status_code
    assert 200 == system.add("other", f"write to {OTHER}").status_code
    schedule = {"text": f"about {FOUND}", "cron": "0 0 29 2 *"}
    assert 200 <= system.http.post("/schedules", json=schedule).status_code < 300
    ran = system.http.post("/run", json={"key": "held"}, headers={"Idempotency-Key": "find-1"}).json()
    status = system.http.get(ran["status_url"], params={"wait": 20}).json()
    assert "succeeded" == status["state"]
    return ran["task_id"]


def _with_scope(system, scope):
    token, _ = create_token(system.data_dir / "keys" / "tokens.json", scope, [scope], None, "default")
    return {"Authorization": f"Bearer {token}"}


def _ask(system, path, **body):
    return system.http.post(f"/subjects/{path}", json={"value": FOUND, "reason": REASON} | body)


@pytest.mark.parametrize(("policy", "form"), [("alert", "plain"), ("tokenize", "token")])
def test_a_subject_is_found_and_erased(systems, policy, form):
    """Each place with its time and token; the dry run is the same and changes nothing; the receipt counts the same."""
    system = systems(policy)
    before = set(system.http.get("/keys").json()["keys"])
    task_id = _fill(system)
    found = _ask(system, "find").raise_for_status().json()
    assert ("finished", False, False) == (found["state"], found["is_dry_run"], found["has_more"])
    places = {(one["kind"], one.get("key"), one.get("version")): one for one in found["found"]}
    assert {("entry", "held", 2), ("version", "held", 1), ("entry", "mail/whole", 1)} <= places.keys()
    assert (form, True) == (places["entry", "held", 2]["form"], places["entry", "held", 2]["is_part"])
    assert (form, False) == (places["entry", "mail/whole", 1]["form"], places["entry", "mail/whole", 1]["is_part"])
    of_task = {one["kind"] for one in found["found"] if one.get("task_id") == task_id}
    assert {"task_result"} <= of_task <= {"task_data", "task_result", "reply"}
    assert 1 == found["counts"]["schedule"]
    assert all("at" in one for one in found["found"])
    assert all(one["by"] for one in found["found"] if one["kind"] in ("entry", "version", "schedule"))

    again = system.http.get(f"/subjects/finds/{found['find_id']}")
    assert found == again.raise_for_status().json()
    dry = _ask(system, "erase", dry_run=True).raise_for_status().json()
    assert (True, found["counts"], found["found"]) == (dry["is_dry_run"], dry["counts"], dry["found"])
    assert 200 == system.http.get("/read", params={"key": "held"}).status_code

    erased = _ask(system, "erase").raise_for_status().json()
    assert found["counts"] == {kind: count for kind, count in erased["counts"].items() if kind != "find"}
    claims = verify_receipt(erased["receipt"], system.http.get("/receipts/key").json())
    assert (erased["erasure_id"], "default", erased["counts"]) == (claims["jti"], claims["tenant"], claims["erased"])
    assert {} == _ask(system, "find").raise_for_status().json()["counts"]
    assert {"other"} == set(system.http.get("/keys").json()["keys"]) - before
    assert 3 == len(system.reports("SubjectFound"))
    assert any(REASON in path.read_text() for path in system.reports("SubjectErased"))
    assert FOUND.encode() not in system.everything_written()


def test_a_key_that_holds_the_value_is_shown_to_who_may_list_keys(systems):
    """Others learn that there is one; a token without `find` gets no dry run, and nobody another's result."""
    system = systems("alert")
    key = f"people/{FOUND}"
    assert 200 == system.add(key, "nothing").status_code
    found = _ask(system, "find").raise_for_status().json()
    assert [("key", key, 1)] == [(one["kind"], one["key"], one["version"]) for one in found["found"]]
    only_find, only_erase = _with_scope(system, "find"), _with_scope(system, "erase")
    body = {"value": FOUND, "reason": REASON}
    hidden = system.http.post("/subjects/find", json=body, headers=only_find).raise_for_status().json()
    assert ["key"] == [one["kind"] for one in hidden["found"]]
    assert FOUND not in str(hidden)
    assert 404 == system.http.get(f"/subjects/finds/{found['find_id']}", headers=only_find).status_code
    dry = system.http.post("/subjects/erase", json={**body, "dry_run": True}, headers=only_erase)
    assert (403, 403) == (
        dry.status_code,
        system.http.post("/subjects/find", json=body, headers=only_erase).status_code,
    )
    assert 1 == _ask(system, "erase").raise_for_status().json()["counts"]["key"]


def test_a_reason_is_needed_and_screened(systems):
    """Without one, and with personal data in it, nothing is searched; too little to search for is refused too."""
    system = systems("alert")
    for path in ("find", "erase"):
        assert 422 == system.http.post(f"/subjects/{path}", json={"value": FOUND}).status_code
        assert "/problems/personal-data" == _ask(system, path, reason=f"for {FOUND}").json()["type"]
        assert 422 == _ask(system, path, value="----").status_code


def test_too_little_to_erase_by_is_refused(system):
    """A value of three characters would take too much with it; a stranger may not ask at all."""
    assert 422 == system.http.request("DELETE", "/subjects", json={"value": "abc"}).status_code
    answer = system.http.request("DELETE", "/subjects", json={"value": VALUE}, headers={"Authorization": "Bearer no"})
    assert 401 == answer.status_code


def test_large_values_hold_nobody_up(systems, wait_until):
    """Where the values are a MiB of prose each, everybody else is served while they are searched."""
    system = systems("alert")
    # Records that services keep for the tenant are examined too.
    before = system.http.request("DELETE", "/subjects", json={"value": "nobody-4711"}).json()["entries_examined"]
    prose = "nothing about anybody, and much of it; " * 26_000
    with ThreadPoolExecutor(2) as pool:
        stored = pool.map(lambda number: system.add(f"long-{number}", prose).status_code, range(LARGE_VALUES))
        assert {200} == set(stored)
        assert 200 == system.add("short", f"about {VALUE} alone").status_code
        erasing = pool.submit(system.http.request, "DELETE", "/subjects", json={"value": VALUE})
        others = [system.http.get("/read", params={"key": "nothing"}).status_code]
        while not erasing.done():
            others.append(system.http.get("/read", params={"key": "nothing"}).status_code)
    erased = erasing.result().json()
    if erasing.result().status_code == httpx.codes.ACCEPTED:
        # On a busy machine it takes longer than a request.
        address = f"/subjects/erasures/{erased['erasure_id']}"
        wait_until(lambda: system.http.get(address).json()["state"] != "running", what="the end")
    else:
        assert (before + LARGE_VALUES + 1, 1) == (erased["entries_examined"], erased["entries_erased"])
    assert 404 == system.http.get("/read", params={"key": "short"}).status_code
    assert {404} == set(others)


POLICY = """
[processing]
controller = "Example Ltd"
purpose = "Support"

[[purposes]]
key_prefixes = ["order:"]
purpose = "Delivery of orders"
legal_basis = "contract"

[[retention]]
key_prefixes = ["order:"]
default_ttl_s = 100
max_ttl_s = 86400

[[retention]]
entities = ["EMAIL_ADDRESS"]
max_ttl_s = 3600
"""


def _ttl_s(answer):
    ends = datetime.fromisoformat(answer["expires_at"]) if "expires_at" in answer else None
    return None if ends is None else round((ends - datetime.now(UTC)).total_seconds(), -1)


def test_entries_are_kept_as_long_as_the_policy_says(systems, wait_until):
    """By key and by what was found, in batches, and for results of tasks and messages; the reply says until when."""
    system = systems("alert")
    (system.data_dir / "policy.toml").write_text(POLICY)
    wait_until(lambda: "expires_at" in system.add("order:0", "x").json(), what="the new policy")
    assert 100 == _ttl_s(system.add("order:1", "x").json())
    assert 86400 == _ttl_s(system.http.post("/add", json={"key": "order:1", "value": "x", "ttl_s": 1e6}).json())
    assert 3600 == _ttl_s(system.add("any", f"to {OTHER}").json())
    assert None is _ttl_s(system.add("any", "x").json())
    pairs = [{"key": "order:2", "value": "x"}, {"key": "b", "value": f"to {OTHER}"}, {"key": "c", "value": "x"}]
    batch = system.http.post("/add/batch", json={"pairs": pairs}).json()["added"]
    assert [100, 3600, None] == [_ttl_s(one) for one in batch]

    def ttl_of_result():
        ran = system.http.post("/run", json={"key": "any", "write_to": "order:3"}).json()
        assert "succeeded" == system.http.get(ran["status_url"], params={"wait": 20}).json()["state"]
        return _ttl_s(system.http.get("/read", params={"key": "order:3"}).json())

    wait_until(lambda: ttl_of_result() in (90, 100), what="the new policy in the processes of the workers")
    message = {"text": f"to {OTHER}", "processor": "uppercase", "mode": "sync", "write_to": "written"}
    assert 200 == system.http.post("/messages", json=message).status_code
    assert 3600 == _ttl_s(system.http.get("/read", params={"key": "written"}).json())

    record = system.http.get("/records-of-processing").raise_for_status().json()
    orders, others = record["activities"]
    assert ("Example Ltd", "Delivery of orders", "Support") == (
        record["controller"],
        orders["purpose"],
        others["purpose"],
    )
    assert (["order:"], "contract", {"alert": ["all"]}) == (
        orders["key_prefixes"],
        orders["legal_basis"],
        orders["categories"],
    )
    assert (4, [86400, 3600]) == (orders["entries"], [one["max_ttl_s"] for one in orders["kept"]])
    assert [3600] == [one["max_ttl_s"] for one in others["kept"] if not one["key_prefixes"]]
    assert "sqlite: entries" in {one["name"] for one in record["stores"]}
    assert {"log"} <= {one["name"] for one in record["destinations"]}
    text = system.http.get("/records-of-processing", headers={"Accept": "text/markdown"}).raise_for_status().text
    assert "## Delivery of orders" in text
    assert OTHER not in text + str(record)

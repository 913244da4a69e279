"""Whatever a caller can write is scanned, matches a pattern or is a known word: field by field, from OpenAPI."""

import httpx
import pytest

from vestibule.cli.canary.fields import TextField, text_fields

# Each is refused alone in its field. The digits are those of test numbers that everybody knows.
PERSONAL = {
    "IBAN": "DE89370400440532013000",
    "card": "4539148803436467",
    "e-mail": "jane.roe.1571@example.org",
    "key": "ghp_Wq3kT9xLmB7vRz2YcN5sHd8JfP4gA61Eu0Xo",
}
SERVICES = {"client": 0, "database": 1, "business-logic": 2, "scheduler": 3}
NAMES_WHAT_IS_THERE = "names what is there, or is refused and not kept"
COMPARED = "compared with a version, not kept"
# Fields that take any text: service, operation (a method for all of its operations), field, and why that is safe.
NOT_SCANNED = {
    ("client", "GET", "*"): "a GET stores nothing",
    ("client", "DELETE", "*"): NAMES_WHAT_IS_THERE,
    ("client", "POST", "task_id"): NAMES_WHAT_IS_THERE,
    ("client", "POST", "alert_id"): NAMES_WHAT_IS_THERE,
    ("client", "POST", "group_id"): NAMES_WHAT_IS_THERE,
    ("client", "PATCH", "silence_id"): NAMES_WHAT_IS_THERE,
    ("client", "POST", "schedule_id"): NAMES_WHAT_IS_THERE,
    ("client", "POST", "idempotency-key"): "kept as a keyed digest",
    ("client", "POST", "prefer"): "compared with the word that it may have, not kept",
    ("client", "POST", "if-match"): COMPARED,
    ("client", "POST", "if-none-match"): COMPARED,
    ("client", "POST /read/batch", "keys"): NAMES_WHAT_IS_THERE,
    ("client", "POST /tasks/bulk", "key"): "names an entry; kept as a keyed digest, if at all",
    ("client", "POST /forms/{name}", "name"): NAMES_WHAT_IS_THERE,
    ("client", "POST /run", "key"): "names an entry, whose key was scanned when it was written",
    ("client", "POST /scan", "*"): "scanned or compared for the reply, and not kept",
    ("client", "POST /presidio/analyze", "*"): "scanned or compared for the reply, and not kept",
    ("client", "POST /presidio/anonymize", "*"): "changed for the reply, and not kept",
    ("client", "POST /presidio/deanonymize", "*"): "decrypted for the reply, and not kept",
    (
        "client",
        "POST /beta/litellm_basic_guardrail_api",
        "litellm_call_id",
    ): "the id of the request where nothing is found",
    ("client", "POST /beta/litellm_basic_guardrail_api", "*"): "screened for the reply, or ignored, and not kept",
    ("client", "POST /policy/check", "*"): "parsed for the reply, and not kept",
    ("client", "POST /policy/test", "*"): "parsed and scanned for the reply, and not kept",
    ("client", "POST /policy/replay", "*"): "parsed for the reply, and not kept",
    ("client", "POST /reveal", "token"): "decrypted, and not kept",
    ("client", "POST /reveal", "texts"): "given back with values, and not kept",
    ("client", "POST /reveal", "conversation_id"): "compared as a keyed digest",
    ("client", "POST /reveal", "caller"): "compared as a keyed digest",
    ("client", "POST /reveal", "key"): "names an entry; in the alert if nothing is found in it",
    ("client", "POST /subjects/find", "value"): "searched for, encrypted until the search ends, and then deleted",
    ("client", "POST /subjects/erase", "value"): "searched for, encrypted until the erasure ends, and then deleted",
    ("client", "POST /tokens/{token_id}/rotate", "token_id"): NAMES_WHAT_IS_THERE,
    ("scheduler", "GET", "*"): "a GET stores nothing",
    ("scheduler", "DELETE", "*"): NAMES_WHAT_IS_THERE,
    ("business-logic", "GET", "*"): "a GET stores nothing",
    ("business-logic", "POST /process", "*"): "processed for the reply, and not kept",
}


@pytest.fixture(scope="module")
def own(start_for_module, tmp_path_factory):
    """A system that takes callbacks, and a form with any fields."""
    policy = tmp_path_factory.mktemp("policy") / "policy.toml"
    policy.write_text("[forms.contact]\nother_fields = true\n")
    return start_for_module(VESTIBULE_CALLBACK_SECRET="callbacks-4711", VESTIBULE_POLICY_FILE=str(policy))


def _fields(own, service: str) -> list[TextField]:
    with httpx.Client(base_url=own.part_url(SERVICES[service]), timeout=40) as http:
        return text_fields(http.get("/openapi.json").raise_for_status().json())


def _exceptions(service: str, field: TextField) -> set[tuple[str, str, str]]:
    places = {(service, where, name) for where in (field.method, field.operation) for name in ("*", field.name)}
    # The name of a list stands for what is in it.
    return (places | {(service, field.operation, str(field.steps[0]))}) & NOT_SCANNED.keys()


def _is_refused(answer: httpx.Response, field: TextField) -> bool:
    if answer.status_code != 422:
        return False
    problem = answer.json()
    if problem["type"] in ("/problems/invalid-input", "/problems/unknown-processor"):
        return field.name in str([problem["detail"].lower(), problem.get("errors")])
    return bool(problem["type"] == "/problems/personal-data")


@pytest.mark.parametrize("service", ["client", "business-logic", "scheduler"])
def test_personal_data_is_refused_in_every_field(own, service):
    """A new field is sent the values too: it refuses them, or it stands in the table with a reason."""
    fields = [field for field in _fields(own, service) if not _exceptions(service, field)]
    accepted = []
    headers = {"Authorization": "Bearer SECRET_TOKEN"}
    with httpx.Client(base_url=own.part_url(SERVICES[service]), headers=headers, timeout=40) as http:
        for field in fields:
            for kind, value in PERSONAL.items():
                for text in field.texts(value):
                    answer = field.send(http, text)
                    assert value not in answer.text
                    if not _is_refused(answer, field):
                        accepted.append((str(field), kind, answer.status_code, answer.json().get("detail")))
    assert [] == accepted
    assert fields or service == "business-logic"


def test_only_services_can_write_to_the_database_service(own):
    """What callers send it is refused unread, so its fields hold only what the client service has scanned."""
    headers = {"Authorization": "Bearer SECRET_TOKEN"}
    fields = [field for field in _fields(own, "database") if field.path != "/problems/{name}"]
    with httpx.Client(base_url=own.part_url(SERVICES["database"]), headers=headers, timeout=40) as http:
        statuses = {field.send(http, PERSONAL["IBAN"]).status_code for field in fields}
    assert {401} <= statuses <= {401, 429}
    assert len(fields) > 50


def test_every_exception_is_of_a_field_that_exists(own):
    """The table has no line for what is gone."""
    used = set().union(*(_exceptions(service, field) for service in SERVICES for field in _fields(own, service)))
    assert set() == NOT_SCANNED.keys() - used
    assert all(NOT_SCANNED.values())

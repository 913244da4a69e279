"""What a person gets to read when something was refused, and where they can go from there."""

import pytest
from starlette.requests import Request

from vestibule.console.session.origin import page_before
from vestibule.console.views.formatting import expectation, member
from vestibule.console.web.problems import is_about_the_address
from vestibule.contracts.errors import InvalidInput
from vestibule.contracts.scopes import ROLES, ROUTES


def _sent_from(referer: str, host: str = "console.test") -> Request:
    headers = [(b"host", host.encode()), (b"referer", referer.encode())]
    return Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers})


@pytest.mark.parametrize(
    ("referer", "address"),
    [
        ("http://console.test/alerts/groups/1?a=b", "/alerts/groups/1?a=b"),
        ("https://console.test/", "/"),
        ("http://elsewhere.test/alerts", None),
        ("http://console.test//elsewhere.test", None),
        ("http://console.test/\\elsewhere.test", None),
        ("http://[", None),
        ("", None),
    ],
)
def test_a_way_back_stays_at_this_console(referer: str, address: str | None) -> None:
    """The page that an action was sent from, and no page of anybody else."""
    assert address == page_before(_sent_from(referer))
    assert page_before(_sent_from("/alerts", host="")) is None


def test_members_are_told_as_the_form_names_them() -> None:
    """Without the part of the request that the API has them in, and without patterns."""
    assert ["reason", "a/b", "reason", "x"] == [member(one) for one in ("body/reason", "a/b", "reason", "path/x")]
    assert "must be shorter" == expectation("must be shorter")
    assert "^" not in expectation("String should match pattern '^[0-9a-f]{16}$'")


def test_an_id_that_cannot_be_one_is_not_found() -> None:
    """Where nothing but the path is wrong."""
    path, body = {"where": "path/job_id", "expected": "x"}, {"where": "body/reason", "expected": "x"}
    assert is_about_the_address(InvalidInput("no", errors=[path]))
    assert not is_about_the_address(InvalidInput("no", errors=[path, body]))
    assert not is_about_the_address(InvalidInput("no"))


@pytest.mark.parametrize(
    ("role", "operations"),
    [
        ("developer", ("add_entry", "run_task", "list_decisions", "get_trace", "get_receipt", "get_policy")),
        ("on-call", ("get_alert_group", "add_silence", "end_silence", "acknowledge_alert_group", "get_trace")),
        ("operator", ("list_channels", "list_workers", "pause_queue", "create_token", "list_audit_lines")),
        ("privacy", ("find_subject", "erase_subject_for_reason", "get_erasure", "get_receipt_keys", "get_trace")),
        ("privacy", ("list_audit_lines", "list_decisions", "get_processing_record")),
    ],
)
def test_a_role_can_do_what_it_is_for(role: str, operations: tuple[str, ...]) -> None:
    """Each step of its story in the console is open to a token with nothing but the role."""
    assert set() == {name for name in operations if ROUTES["client"][name].scope not in ROLES[role]}


def test_people_on_call_and_operators_see_no_values() -> None:
    """Nor can they give themselves more: `run` shows every stored value."""
    assert not {"read", "run", "reveal", "find", "erase"} & (ROLES["on-call"] | ROLES["operator"])

"""The form of a new token: what it offers and what it says."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from vestibule.client.results.administration import Token
from vestibule.console.pages.tokens.administration import _name_of
from vestibule.console.pages.tokens.audit import _address_of
from vestibule.console.pages.tokens.forms import open_roles, open_scopes, role_of, terms_of, whole_number
from vestibule.console.session.sessions import UserSession
from vestibule.contracts.errors import InvalidInput
from vestibule.contracts.scopes import ROLES, SCOPES


def _session(*scopes: str) -> UserSession:
    return UserSession("t", "s", 0, "t-1", "a person", "default", scopes)


def _with_scopes(*scopes: str) -> Token:
    now = datetime.now(UTC)
    return Token(
        id="t-1",
        name="a",
        tenant="default",
        scopes=list(scopes),
        created_at=now,
        created_by=None,
        expires_at=None,
        quota=None,
        source="database",
    )


def test_nobody_is_offered_what_they_cannot_give() -> None:
    """Scopes and roles are those that the own token has."""
    assert ["add", "read"] == list(open_scopes(_session("read", "add")))
    assert {} == open_roles(_session("read", "add"))
    assert {"developer"} == set(open_roles(_session(*ROLES["developer"])))
    assert set(ROLES) == set(open_roles(_session(*SCOPES)))


def test_scopes_are_told_by_their_role() -> None:
    """A role, everything, or none of these."""
    assert "privacy" == role_of(_with_scopes(*ROLES["privacy"]))
    assert "everything" == role_of(_with_scopes("*"))
    assert "everything, as operator" == role_of(_with_scopes(*SCOPES))
    assert role_of(_with_scopes("add")) is None


def test_a_form_becomes_the_terms_of_a_token() -> None:
    """Ticks are scopes; a quota is there if a limit is."""
    given = {"scope-add": "1", "scope-on-call": "1", "expires_in_s": "3600", "tasks_per_minute": "6", "name": "a"}
    terms = terms_of(given)
    assert (["add", "on-call"], 3600, None) == (terms["scopes"], terms["expires_in_s"], terms["role"])
    assert {"requests_per_minute": None, "tasks_per_minute": 6, "tasks_under_way": None} == terms["quota"]
    assert terms_of({})["quota"] is None


@pytest.mark.parametrize("given", ["x", "-1", "1.5", "٣", "9" * 13])
def test_a_number_is_a_whole_one(given: str) -> None:
    """Anything else is refused with the name of the field."""
    with pytest.raises(InvalidInput, match="overlap s"):
        whole_number({"overlap_s": given}, "overlap_s")


@pytest.mark.parametrize(
    ("act", "address"),
    [
        ("subject_found", None),
        ("subject_erased", "/subjects/erasures/"),
        ("alert_acknowledged", "/alerts/"),
        ("queue_paused", None),
    ],
)
def test_an_act_links_to_what_others_can_open(act: str, address: str | None) -> None:
    """The places of a search are for the token that searched alone."""
    line: Any = SimpleNamespace(act=act, token_id="t-1")
    assert address == _address_of(line, "t-2")
    own: Any = SimpleNamespace(act="subject_found", token_id="t-1")
    assert "/subjects/finds/" == _address_of(own, "t-1")


def test_a_token_has_the_name_that_its_alerts_give_it() -> None:
    """For people who may not see tokens, and of tokens that were revoked."""

    def parts(**found: Any) -> dict[str, Any]:
        return {name: SimpleNamespace(value=found.get(name)) for name in ("found", "alerts", "decisions")}

    alerts = SimpleNamespace(alerts=[SimpleNamespace(token_name=None), SimpleNamespace(token_name="importer")])
    assert "importer" == _name_of(parts(alerts=alerts))
    assert "a" == _name_of(parts(found=_with_scopes("add"), alerts=alerts))
    assert _name_of(parts()) is None

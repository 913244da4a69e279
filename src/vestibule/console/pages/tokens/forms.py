"""What the forms of tokens offer, and what they say."""

from collections.abc import Collection, Mapping
from typing import Any

from vestibule.client.results.administration import Token
from vestibule.console.session.sessions import UserSession
from vestibule.console.views.formatting import DAY, HOUR
from vestibule.console.views.numbers import whole_number as read_number
from vestibule.contracts.scopes import OPERATOR, ROLES, SCOPES

# Seconds, and as words; empty is as long as the own token.
EXPIRIES = (
    (str(HOUR), "in 1 hour"),
    (str(DAY), "in 1 day"),
    (str(30 * DAY), "in 30 days"),
    (str(90 * DAY), "in 90 days"),
    (str(365 * DAY), "in 1 year"),
    ("", "when your own token does"),
)
OVERLAPS = (
    (str(DAY), "1 more day"),
    (str(HOUR), "1 more hour"),
    (str(7 * DAY), "7 more days"),
    (str(30 * DAY), "30 more days"),
    ("0", "no longer: refuse it at once"),
)
QUOTAS = ("requests_per_minute", "tasks_per_minute", "tasks_under_way")
NOT_OWN = "You are signed in with this token, and revoking it signs you out for good. Tick the box if that is meant."
# The field of a scope has its name behind this.
SCOPE_FIELD = "scope-"


def open_scopes(session: UserSession) -> Mapping[str, str]:
    """Return the scopes that a person can give, with what each allows: those of the own token."""
    return {scope: meaning for scope, meaning in SCOPES.items() if session.may(scope)}


def open_roles(session: UserSession) -> Mapping[str, Collection[str]]:
    """Return the roles that a person can give: those whose scopes the own token has."""
    return {role: sorted(scopes) for role, scopes in ROLES.items() if all(map(session.may, scopes))}


def role_of(token: Token) -> str | None:
    """Return the role that has just the scopes of a token, or `everything`; None if there is none."""
    given = frozenset(token.scopes)
    if given >= SCOPES.keys() - {OPERATOR} or "*" in given:
        return "everything, as operator" if OPERATOR in given else "everything"
    return next((role for role, scopes in ROLES.items() if scopes == given), None)


def terms_of(form: Mapping[str, str]) -> dict[str, Any]:
    """Return what a form says of a new token, as `tokens.create` takes it."""
    quota = {name: whole_number(form, name) for name in QUOTAS}
    return {
        "scopes": [name.removeprefix(SCOPE_FIELD) for name in form if name.startswith(SCOPE_FIELD)],
        "role": form.get("role"),
        "tenant": form.get("tenant"),
        "expires_in_s": whole_number(form, "expires_in_s"),
        "quota": quota if any(limit is not None for limit in quota.values()) else None,
    }


def whole_number(form: Mapping[str, str], name: str) -> int | None:
    """Return a number of a form, None for an empty field. Raises: InvalidInput, if it is none."""
    return read_number(form.get(name, ""), name)

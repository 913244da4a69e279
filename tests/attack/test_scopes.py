"""Every route of every service is asked with each scope alone and beside `operator`, and with what is no token at all.

What another tenant's token sees and changes is asked in `tests/journeys/test_tenants.py`.
"""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from vestibule.contracts.identity import OPERATOR
from vestibule.contracts.scopes import ANY_TOKEN, OPEN_ROUTES, ROUTES, SCOPES, SERVICES_ONLY, Access
from vestibule.service_kit.auth.token_file import create_token

SERVICES = {"client": 0, "database": 1, "business_logic": 2, "scheduler": 3}
NO_TOKENS = (
    "",
    "Bearer",
    "Bearer  x",
    "Bearer SECRET",
    "Basic U0VDUkVUX1RPS0VO",
    "Bearer SECRET_TOKEN\t,x",
    "bearer *",
)


@pytest.fixture(scope="module")
def attacked(start_for_module: Any) -> Any:
    """A system that is asked without a token more often than one address may."""
    return start_for_module(VESTIBULE_AUTH_FAILURES_PER_MINUTE="1000000")


def operations(base: str, service: str) -> Iterator[tuple[str, str, Access]]:
    """Yield method, path and what it needs of all operations that a service describes and that need a token."""
    for path, methods in httpx.get(f"{base}/openapi.json", timeout=40).json()["paths"].items():
        for method, described in methods.items():
            if described["operationId"] not in OPEN_ROUTES:
                yield method.upper(), path, ROUTES[service][described["operationId"]]


def is_right(service: str, access: Access, scopes: list[str], status: int) -> bool:
    """Say whether a token with these scopes should get this status."""
    if service in SERVICES_ONLY:
        # Only the services' secret opens the database service.
        return status == 401
    if access.scope not in scopes and access.scope != ANY_TOKEN:
        return status == 403
    is_denied = not {scope for scope, when in access.beside.items() if not when} <= set(scopes)
    # What a body without members lacks is said before what the token lacks.
    return status in (403, 422) if is_denied else status not in (401, 403)


def asked(http: httpx.Client, method: str, url: str, authorization: str) -> int:
    """Return the status of a request without parameters, as soon as its head has come."""
    with http.stream(method, url, headers={"Authorization": authorization} if authorization else {}) as answer:
        return answer.status_code


@pytest.mark.parametrize("service", SERVICES)
def test_a_token_opens_the_routes_of_its_scope_alone(attacked: Any, wait_until: Any, service: str) -> None:
    """401 without a token, 403 with one of another scope, neither with one of the scope and what it needs beside."""
    base = attacked.part_url(SERVICES[service])
    given = {scope: [scope] for scope in SCOPES}
    given |= {f"{scope}+{OPERATOR}": [scope, OPERATOR] for scope in SCOPES if scope != OPERATOR}
    created = {
        name: create_token(attacked.data_dir / "keys" / "tokens.json", f"{service}-{name}", scopes)[0]
        for name, scopes in given.items()
    }
    with httpx.Client(timeout=40) as http:
        last = f"Bearer {list(created.values())[-1]}"
        known = wait_until(lambda: asked(http, "GET", f"{attacked.url}/keys", last) == 403, what="the tokens")
        assert known
        found = list(operations(base, service))
        assert len(ROUTES[service]) == len(found)
        wrong = []
        for method, path, access in found:
            url = base + path.replace("{", "").replace("}", "")
            wrong += [(method, path, text) for text in NO_TOKENS if asked(http, method, url, text) != 401]
            for name, token in created.items():
                status = asked(http, method, url, f"Bearer {token}")
                if not is_right(service, access, given[name], status) or status >= 500:
                    wrong.append((method, path, f"{name}: {status}"))
    assert [] == wrong
    written = attacked.everything_written()
    assert [] == [name for name, token in created.items() if token.encode() in written]

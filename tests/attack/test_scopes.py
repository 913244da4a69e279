"""Every route of every service is asked with the token of every scope, and with what is no token at all."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from vestibule.cli.commands.token import SCOPES
from vestibule.service_kit.auth.token_file import create_token

SERVICES = {"client": 0, "database": 1, "business_logic": 2, "scheduler": 3}
OPEN = {"/health", "/readyz", "/metrics", "/problems", "/problems/{name}"}
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


def operations(base: str) -> Iterator[tuple[str, str, str | None]]:
    """Yield method, path and scope of all operations that a service describes."""
    for path, methods in httpx.get(f"{base}/openapi.json", timeout=40).json()["paths"].items():
        for method, described in methods.items():
            (scheme,) = described.get("security") or [{}]
            yield method.upper(), path, next(iter(scheme.get("HTTPBearer", ())), None)


def asked(http: httpx.Client, method: str, url: str, authorization: str) -> int:
    """Return the status of a request without parameters, as soon as its head has come."""
    with http.stream(method, url, headers={"Authorization": authorization} if authorization else {}) as answer:
        return answer.status_code


@pytest.mark.parametrize("service", SERVICES)
def test_a_token_opens_the_routes_of_its_scope_alone(attacked: Any, wait_until: Any, service: str) -> None:
    """401 without a token, 403 with one of another scope, and neither with one of the scope."""
    base = attacked.part_url(SERVICES[service])
    created = {
        scope: create_token(attacked.data_dir / "keys" / "tokens.json", f"{service}-{scope}", [scope])[0]
        for scope in SCOPES
    }
    with httpx.Client(timeout=40) as http:
        last = f"Bearer {created[SCOPES[-1]]}"
        known = wait_until(lambda: asked(http, "GET", f"{attacked.url}/keys", last) == 403, what="the tokens")
        assert known
        found = [one for one in operations(base) if one[1] not in OPEN]
        assert found
        wrong = []
        for method, path, scope in found:
            assert scope is not None, path
            url = base + path.replace("{", "").replace("}", "")
            wrong += [(method, path, text) for text in NO_TOKENS if asked(http, method, url, text) != 401]
            for name, token in created.items():
                status = asked(http, method, url, f"Bearer {token}")
                # Only the services' secret opens the database service.
                is_right = status == 401 if service == "database" else (status == 403) == (name != scope)
                if not is_right or status >= 500:
                    wrong.append((method, path, f"{name}: {status}"))
    assert [] == wrong
    written = attacked.everything_written()
    assert [] == [scope for scope, token in created.items() if token.encode() in written]

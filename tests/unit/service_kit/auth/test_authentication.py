"""Who may come in: strangers learn nothing, tokens do what they may, and no route is open by oversight."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import APIRouter

from vestibule.service_kit.auth.authentication import Caller, GuardedRoute
from vestibule.service_kit.auth.token_file import create_token
from vestibule.service_kit.http.connections import Limits, RequestTimeouts, timeout_protocol
from vestibule.service_kit.settings import ServiceSettings

STRANGE_HEADERS = {
    "none": None,
    "empty": "",
    "no token": "Bearer",
    "blank token": "Bearer ",
    "other scheme": "Basic SECRET_TOKEN",
    "token alone": "SECRET_TOKEN",
    "unknown": "Bearer nobody-knows",
    "longer": "Bearer SECRET_TOKENS",
    "shorter": "Bearer SECRET_TOKE",
    "two tokens": "Bearer SECRET_TOKEN SECRET_TOKEN",
    "other case": "Bearer secret_token",
    "latin-1": b"Bearer \xff\xfe",
}
GUARDED = [
    ("POST", "/pairs", {"key": "a", "value": "b"}),
    ("POST", "/nested", {"inner": {"number": 1}}),
    ("GET", "/things/one", None),
    ("GET", "/broken", None),
]


@pytest.mark.parametrize("header", STRANGE_HEADERS.values(), ids=STRANGE_HEADERS.keys())
@pytest.mark.parametrize(("method", "path", "body"), GUARDED)
async def test_a_stranger_is_refused_and_reported(
    service: Any, header: str | bytes | None, method: str, path: str, body: Any
) -> None:
    """Every guarded route answers 401 to whoever shows no known token, and tells of each stranger once."""
    headers = {} if header is None else {"Authorization": header}
    async with service.client(token=None) as client:
        answer = await client.request(method, path, json=body, headers=headers)
    assert (401, "Bearer") == (answer.status_code, answer.headers["www-authenticate"])
    assert "/problems/invalid-token" == answer.json()["type"]
    assert 1 == len(service.auth_failures)
    assert "nobody-knows" not in answer.text


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_is_case_insensitive(service: Any, scheme: str) -> None:
    """HTTP compares the names of schemes without case."""
    async with service.client(token=None) as client:
        answer = await client.get("/things/one", headers={"Authorization": f"{scheme} SECRET_TOKEN"})
    assert 200 == answer.status_code


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [(["write"], (200, 403)), (["read"], (403, 200)), (["read", "write"], (200, 200)), (["other"], (403, 403))],
)
async def test_a_token_does_what_its_scopes_say(
    service: Any, settings: ServiceSettings, scopes: list[str], expected: tuple[int, int]
) -> None:
    """A known token may use the routes of its scopes, and is told which scope it lacks for the others."""
    token, _ = create_token(settings.token_file, "test", scopes)
    async with service.client(token=token, address="203.0.113.9") as client:
        answers = [await client.post("/pairs", json={"key": "a", "value": "b"}), await client.get("/things/one")]
    assert expected == tuple(answer.status_code for answer in answers)
    for answer, scope in zip(answers, ("write", "read"), strict=True):
        if answer.status_code == 403:
            assert ("/problems/insufficient-scope", scope) == (answer.json()["type"], answer.json()["scope"])
    assert [] == service.auth_failures


def _sees(service: Any, tenant: str, *scopes: str) -> tuple[set[str] | None, str]:
    seen = service.wiring.authenticator.visibility_of(Caller("id", "name", frozenset(scopes), tenant))
    return None if seen.tenants is None else set(seen.tenants), seen.owner


def test_a_tenant_sees_itself_and_an_operator_everything(
    service: Any, settings: ServiceSettings, wait_until: Any
) -> None:
    """`*` is no operator. A tenant alone sees all that there is; later it sees itself only, and a stranger nothing."""
    stranger = service.wiring.authenticator.visibility_of
    both = ({"default", "~system"}, "~system")
    assert both == _sees(service, "default", "alerts")
    assert {"default", "~system"} == stranger(None).tenants
    create_token(settings.token_file, "test", ["alerts"])
    assert both == _sees(service, "default", "*")
    create_token(settings.token_file, "test", ["add"], tenant="north")
    wait_until(lambda: _sees(service, "default", "*") == ({"default"}, "default"))
    assert ({"north"}, "north") == _sees(service, "north", "*")
    assert (None, "~system") == _sees(service, "north", "operator")
    assert frozenset() == stranger(None).tenants


async def test_a_stranger_is_refused_before_the_body_is_read(service: Any) -> None:
    """Not a byte of a stranger's body is asked for, valid or not, large or small."""
    asked: list[int] = []

    async def pieces() -> Any:
        asked.append(1)
        yield b"not json"

    async with service.client(token="nobody-knows") as client:
        answer = await client.post("/pairs", content=pieces(), headers={"Content-Type": "application/json"})
        large = await client.post("/pairs", content=b"x" * 20_000)
    assert (401, 401) == (answer.status_code, large.status_code)
    assert [] == asked
    assert [] == service.invalid_inputs


async def test_who_lacks_the_scope_is_refused_before_the_body_is_read(service: Any, settings: ServiceSettings) -> None:
    """A 403 does not say whether the body would have been right."""
    token, _ = create_token(settings.token_file, "test", ["read"])
    async with service.client(token=token) as client:
        assert 403 == (await client.post("/pairs", content=b"not json")).status_code


@pytest.mark.parametrize(
    ("address", "status"), [("127.0.0.1", 200), ("127.9.9.9", 200), ("::1", 200), ("::ffff:127.0.0.1", 200)]
)
async def test_the_development_token_counts_on_this_machine(service: Any, address: str, status: int) -> None:
    """In embedded mode the published token opens every route from loopback."""
    async with service.client(address=address) as client:
        assert status == (await client.get("/things/one")).status_code


@pytest.mark.parametrize(
    "address", ["203.0.113.9", "10.0.0.1", "2001:db8::1", "testclient", "0.0.0.0", "::ffff:10.0.0.1"]
)
async def test_the_development_token_counts_nowhere_else(service: Any, address: str) -> None:
    """From any other address the published token is a stranger's."""
    async with service.client(address=address) as client:
        assert 401 == (await client.get("/things/one")).status_code
    assert ["SECRET_TOKEN"] == service.auth_failures


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 401),
        ({"Host": "evil.example:8000", "Origin": "http://evil.example:8000"}, 401),
        ({"Host": "127.0.0.1.evil.example"}, 401),
        ({"Host": "127.0.0.1:8000@evil.example"}, 401),
        ({"Host": "[::1"}, 401),
        ({"Host": "evil.example@localhost"}, 401),
        ({"Host": "", "Origin": "null"}, 401),
        ({"Host": "127.0.0.1:8000", "Origin": "https://evil.example"}, 401),
        ({"Host": "127.0.0.1:8000", "Origin": "http://127.0.0.1:3000"}, 401),
        ({"Host": "127.0.0.1:8000", "Origin": "null"}, 401),
        ({"Host": "127.0.0.1:8000", "Origin": "http://127.0.0.1:8000"}, 200),
        ({"Host": "localhost:8000"}, 200),
        ({"Host": "LOCALHOST"}, 200),
        ({"Host": "[::1]:8000"}, 200),
        ({"Host": "[::ffff:127.0.0.1]:8000"}, 200),
        ({"Host": "[::ffff:203.0.113.9]"}, 401),
        ({"Host": "localhost.:8000"}, 200),
        ({"Host": "localhost.evil.example"}, 401),
        ({"Host": "evil.example."}, 401),
    ],
)
async def test_the_development_token_does_not_count_from_a_foreign_page(
    service: Any, headers: dict[str, str], status: int
) -> None:
    """A page under a name that leads to 127.0.0.1, or of another origin, cannot use the token that everybody knows."""
    async with service.client() as client:
        assert status == (await client.get("/things/one", headers=headers)).status_code


@pytest.mark.parametrize(
    "headers",
    [
        [("Host", "evil.example"), ("Host", "localhost:8000")],
        [("Host", "localhost:8000"), ("Origin", "http://evil.example"), ("Origin", "http://localhost:8000")],
    ],
)
async def test_the_development_token_needs_one_host_and_one_origin(
    service: Any, headers: list[tuple[str, str]]
) -> None:
    """Of two names, another program on the way may have gone by the foreign one."""
    async with service.client() as client:
        assert 401 == (await client.get("/things/one", headers=headers)).status_code


async def test_a_callers_own_token_counts_under_any_name(service: Any, settings: ServiceSettings) -> None:
    """A page cannot know it, and services have names."""
    token, _ = create_token(settings.token_file, "test", ["read"])
    headers = {"Host": "vestibule.example", "Origin": "https://console.example"}
    async with service.client(token=token) as client:
        assert 200 == (await client.get("/things/one", headers=headers)).status_code


PROXIES = ["X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded", "Forwarded", "Via", "X-Real-IP", "CF-Connecting-IP"]


@pytest.mark.parametrize("name", [*PROXIES, "CDN-Loop", "True-Client-IP", "X-Client-IP", "X-Amzn-Trace-Id"])
async def test_the_development_token_does_not_count_behind_a_proxy(service: Any, name: str) -> None:
    """Behind a proxy on this machine everybody seems local, so a forwarded request is not."""
    async with service.client() as client:
        assert 401 == (await client.get("/things/one", headers={name: "127.0.0.1"})).status_code


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_the_development_token_needs_the_form_of_a_request_that_no_proxy_sends(
    service: Any, free_port: int, host: str
) -> None:
    """A target that names a host counts before `Host`, whichever of the two is foreign; proxies speak HTTP/1.0."""
    limits = Limits(head_timeout_s=60, body_timeout_s=60, most_connections=100)
    protocol = timeout_protocol(RequestTimeouts(limits))
    served = [
        ("/things/one HTTP/1.1", "localhost", 200),
        ("http://evil.example/things/one HTTP/1.1", "localhost", 401),
        ("http://localhost/things/one HTTP/1.1", "evil.example", 401),
        ("//evil.example/things/one HTTP/1.1", "evil.example", 404),
        ("/things/one HTTP/1.0", "localhost", 401),
        ("http://evil.example/things/one HTTP/1.0", None, 401),
    ]
    server = uvicorn.Server(
        uvicorn.Config(service.app, host, free_port, http=protocol, log_config=None, lifespan="off")
    )
    serving = asyncio.create_task(server.serve())
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn offers nothing to wait for
        await asyncio.sleep(0.01)
    if serving.done():
        pytest.skip(f"this machine has no {host}")
    try:
        for target, name, status in served:
            reader, writer = await asyncio.open_connection(host, free_port)
            named = "" if name is None else f"Host: {name}\r\n"
            writer.write(f"GET {target}\r\n{named}Authorization: Bearer SECRET_TOKEN\r\n\r\n".encode())
            assert (target, str(status)) == (target, (await reader.readline()).decode().split()[1])
            writer.close()
    finally:
        server.should_exit = True
        await serving


async def test_the_development_token_does_not_count_outside_embedded_mode(tmp_path: Path, service: Any) -> None:
    """A service that was not started by `vestibule up` knows no published token."""
    served = type(service)(ServiceSettings(data_dir=tmp_path, embedded=False))
    async with served.client() as client:
        assert 401 == (await client.get("/things/one")).status_code


async def test_every_open_route_is_meant_to_be(service: Any) -> None:
    """Only health, readiness, metrics, the problem types and the API reference answer without a token."""
    async with service.client(token=None) as client:
        for path in ("/health", "/healthz", "/readyz", "/metrics", "/problems", "/problems/invalid-input", "/docs"):
            assert 200 == (await client.get(path)).status_code


def test_a_guarded_route_without_a_scope_cannot_be_declared() -> None:
    """Whoever forgets `allow()` hears of it when the program starts."""
    router = APIRouter(route_class=GuardedRoute)
    with pytest.raises(TypeError, match=r"/open does not say which scope"):

        @router.get("/open")
        async def route() -> None:
            pass


def test_the_openapi_says_that_routes_need_a_token(service: Any) -> None:
    """People who read `/docs` find the way to send a token, on guarded routes only."""
    schema = service.app.openapi()
    assert "bearer" == schema["components"]["securitySchemes"]["HTTPBearer"]["scheme"]
    guarded = {path for path, methods in schema["paths"].items() if any("security" in m for m in methods.values())}
    assert {"/pairs", "/nested", "/things/{thing}", "/broken"} == guarded

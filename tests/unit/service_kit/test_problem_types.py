"""Every problem that a service can render is in the table and has its page; the table has nothing else."""

import ast
import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from httpx import AsyncClient, Response

import vestibule
from vestibule.contracts import errors
from vestibule.service_kit.http.connections import Limits, RequestTimeouts, timeout_protocol
from vestibule.service_kit.http.middleware import LATE_UNTIL_SHED, LOOK_EVERY_S
from vestibule.service_kit.openapi.problem_examples import example_responses
from vestibule.service_kit.problem_types import OF_ERRORS, PROBLEM_TYPES

JSON = {"Accept": "application/json"}
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and "slug" in vars(kind)]
NAMED = sorted(set(KINDS) - {errors.VestibuleError}, key=lambda kind: kind.__name__)
SHED_AFTER_S = 0.05
# What the service refuses without an error class, and how a client gets there.
BY_ROUTE = {
    "route-not-found": ("GET", "/nowhere"),
    "method-not-allowed": ("PUT", "/pairs"),
    "internal-error": ("GET", "/broken"),
}
BY_CONNECTION = {
    "malformed-request": b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
    "request-headers-too-large": b"GET /health HTTP/1.1\r\nX-Long: " + b"x" * 70_000 + b"\r\n\r\n",
    "request-timeout": b"GET /health HTTP/1.1\r\nHost:",
}


def _make(kind: type[errors.VestibuleError]) -> errors.VestibuleError:
    if issubclass(kind, errors.PreconditionFailed):
        return kind(3)
    return kind("queue", "No answer.") if issubclass(kind, errors.Unavailable) else kind("Do something else.")


async def _check_page(client: AsyncClient, problem: dict[str, Any]) -> None:
    """The `type` of a problem leads, without a token, to its entry as JSON and as a page."""
    entry = (await client.get(problem["type"], headers=JSON)).json()
    expected = (problem["type"], problem["title"], problem["status"])
    assert expected == (f"/problems/{entry['name']}", entry["title"], entry["status"])
    page = await client.get(problem["type"], headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (200, "text/html; charset=utf-8") == (page.status_code, page.headers["content-type"])
    text = re.sub(r"<[^>]+>", "", page.text)
    for said in (entry["title"], entry["cause"], entry["remedy"], problem["type"]):
        assert said.replace("`", "") in text.replace("&#34;", '"').replace("&#39;", "'").replace("`", "")


@pytest.mark.parametrize("kind", NAMED)
async def test_an_error_leads_to_its_page(service: Any, kind: type[errors.VestibuleError]) -> None:
    """A named error is rendered with a type that the same service explains."""

    @service.app.get("/fails")
    async def fails() -> None:
        raise _make(kind)

    async with service.client(token=None) as client:
        answer = await client.get("/fails")
        assert OF_ERRORS[kind].status == answer.status_code
        await _check_page(client, answer.json())


@pytest.mark.parametrize("name", BY_ROUTE)
async def test_a_refusal_of_the_framework_leads_to_its_page(service: Any, name: str) -> None:
    """Unknown routes, wrong methods and unexpected failures are explained too."""
    async with service.client() as client:
        answer = await client.request(*BY_ROUTE[name])
        assert f"/problems/{name}" == answer.json()["type"]
        await _check_page(client, answer.json())


@asynccontextmanager
async def _served(app: Any, port: int) -> AsyncIterator[None]:
    limits = Limits(head_timeout_s=0.1, body_timeout_s=0.1, most_connections=100)
    protocol = timeout_protocol(RequestTimeouts(limits))
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, http=protocol, log_config=None))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers nothing to wait for
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await serving


async def test_a_refusal_of_the_connection_leads_to_its_page(service: Any, free_port: int) -> None:
    """What never becomes a request is answered with a problem that is explained too."""
    async with _served(service.app, free_port), AsyncClient(base_url=f"http://127.0.0.1:{free_port}") as client:
        for name, sent in BY_CONNECTION.items():
            reader, writer = await asyncio.open_connection("127.0.0.1", free_port)
            writer.write(sent)
            head, _, body = (await asyncio.wait_for(reader.read(), 20)).partition(b"\r\n\r\n")
            writer.close()
            problem = Response(int(head.split()[1]), content=body).json()
            assert (f"/problems/{name}", int(head.split()[1])) == (problem["type"], problem["status"])
            await _check_page(client, problem)


async def test_an_overload_leads_to_its_page(service: Any, settings: Any) -> None:
    """A request that is shed is answered with a problem that is explained too."""
    served = type(service)(settings.model_copy(update={"load_shed_after_s": SHED_AFTER_S}))
    may_answer = asyncio.Event()

    @served.app.get("/slow")
    async def slow() -> None:
        await may_answer.wait()

    async with served.client() as client:
        waiting = [asyncio.create_task(client.get("/slow")) for _ in range(LATE_UNTIL_SHED)]
        async with asyncio.timeout(60):
            while (answer := await client.get("/problems")).status_code != 503:  # noqa: ASYNC110
                await asyncio.sleep(LOOK_EVERY_S)
        may_answer.set()
        await asyncio.gather(*waiting)
        async with asyncio.timeout(60):
            while (await client.get("/problems")).status_code == 503:  # noqa: ASYNC110
                await asyncio.sleep(LOOK_EVERY_S)
        assert "/problems/overloaded" == answer.json()["type"]
        await _check_page(client, answer.json())


def _raised() -> Iterator[str]:
    """Give the names of the error classes that some code makes; the examples of the API description do not count."""
    root = Path(vestibule.__file__).parent
    apart = {root / "contracts/errors.py", root / "service_kit/openapi/problem_examples.py"}
    for path in set(root.rglob("*.py")) - apart:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                yield node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            # `kind = A if ... else B; raise kind(...)`
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "raise kind(" in ast.unparse(node):
                yield from (one.id for one in ast.walk(node) if isinstance(one, ast.Name))


def test_the_table_holds_what_can_occur_and_nothing_else() -> None:
    """Each type is of an error that some code raises, or one of those that the tests above provoke."""
    raised = set(_raised())
    apart = {"overloaded", "too-many-uploads"}  # which need many requests at once
    expected = {kind.slug for kind in NAMED if kind.__name__ in raised} | {*BY_ROUTE, *BY_CONNECTION, *apart}
    assert expected == set(PROBLEM_TYPES)
    assert set(KINDS) == set(OF_ERRORS)


def test_each_type_has_a_plain_name_a_cause_and_a_remedy() -> None:
    """Names are stable words for an address, and cause and remedy are sentences."""
    for name, one in PROBLEM_TYPES.items():
        assert name == one.name
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)
        for text in (one.cause, one.remedy, *filter(None, [one.detail])):
            assert re.fullmatch(r"[A-Z`].*\.", text)
    assert len({one.title for one in PROBLEM_TYPES.values()}) == len(PROBLEM_TYPES)


def test_each_type_has_an_example_of_its_own() -> None:
    """The example of a page is a problem document of that type, with its status."""
    expected = {name: (one.uri, one.status) for name, one in PROBLEM_TYPES.items()}
    documents = {
        name: (Response(200, content=answer.body).json(), answer) for name, answer in example_responses().items()
    }
    assert expected == {name: (document["type"], answer.status_code) for name, (document, answer) in documents.items()}


async def test_all_types_are_listed_for_people_and_programs(service: Any) -> None:
    """`GET /problems` has every type, as JSON and as a page that links to each."""
    async with service.client(token=None) as client:
        listed = await client.get("/problems", headers=JSON)
        assert list(PROBLEM_TYPES) == [one["name"] for one in listed.json()["problems"]]
        page = await client.get("/problems")
        links = [f"/{link}" for link in re.findall(r'href="(problems/[^"]+)"', page.text)]
        assert sorted(one.uri for one in PROBLEM_TYPES.values()) == sorted(links)
        assert ["Accept"] * 2 == [answer.headers["vary"] for answer in (listed, page)]


async def test_an_unknown_type_is_a_problem(service: Any, log_lines: Any) -> None:
    """A name that is none is a 404, repeated nowhere, and no error in the log."""
    async with service.client(token=None) as client:
        answer = await client.get("/problems/marker-4711", headers={"Accept": "text/html"})
    assert (404, "/problems/not-found") == (answer.status_code, answer.json()["type"])
    assert "marker-4711" not in answer.text
    assert [("info", "/problems/{name}")] == [(line["level"], line["route"]) for line in log_lines()]


@pytest.mark.parametrize("path", ["/problems", "/problems/personal-data"])
async def test_a_page_loads_nothing(service: Any, path: str) -> None:
    """It has no script, links to its own service only, and its policy allows its style alone."""
    async with service.client(token=None) as client:
        answer = await client.get(path)
    addresses = re.findall(r"(?:src|href)=[\"']([^\"']+)", answer.text)
    assert [] == [one for one in addresses if not re.match(r"(\.\./)?(problems|docs)|data:", one)]
    assert "<script" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")

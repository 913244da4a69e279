"""Whether a request takes the express lane or not, its answer is the same."""

from typing import Annotated, Any

import orjson
import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, Header, Query, Request
from fastapi.exceptions import RequestValidationError
from httpx import ASGITransport, AsyncClient, Response
from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse
from starlette.responses import Response as Answer
from starlette.types import ASGIApp, Receive, Scope, Send

from vestibule.contracts.entries import Pair
from vestibule.contracts.errors import KeyNotFound, VestibuleError
from vestibule.service_kit.fast_dispatch.dispatch_plan import LARGE_BODY_BYTES
from vestibule.service_kit.fast_dispatch.fast_dispatch import FastDispatch, FastRoute

router = APIRouter(route_class=FastRoute)
JSON = {"content-type": "application/json"}


class Reply(BaseModel):
    """What the routes answer."""

    model_config = ConfigDict(ser_json_inf_nan="strings")

    key: str
    note: str | None = None
    size: float = 0.0


async def _either(body: Annotated[Pair | None, Body()] = None, key: Annotated[str | None, Query()] = None) -> str:
    return body.key if body else key or "none"


async def _agent(request: Request) -> str:
    return request.headers.get("x-agent", "nobody")


@router.post("/keep", status_code=201, response_model_exclude_none=True)
async def keep(pair: Pair, agent: Annotated[str, Depends(_agent)]) -> Reply:
    """Take a model as the body."""
    if pair.key == "unknown":
        raise KeyNotFound("Nothing is stored under that key.")
    return Reply(key=f"{pair.key} {agent}", size=pair.ttl_s or len(pair.value))


@router.post("/either")
async def either(key: Annotated[str, Depends(_either)]) -> Reply:
    """Take a body or a query."""
    return Reply(key=key)


@router.get("/find")
async def find(key: Annotated[str, Query(max_length=5)], answer: Answer, limit: Annotated[int, Query()] = 3) -> Reply:
    """Take a query, and set a header of the answer."""
    answer.headers["ETag"] = f'"{limit}"'
    return Reply(key=key, size=limit)


@router.get("/parts/{number}")
async def part(number: int, x_agent: Annotated[str, Header()] = "nobody") -> Reply:
    """Take a part of the path and a header."""
    return Reply(key=x_agent, size=number)


@router.get("/parts")
async def parts() -> Reply:
    """Share the beginning of another's path."""
    return Reply(key="all")


@router.get("/raw", response_model=Reply)
async def raw() -> Answer:
    """Answer with a response of its own."""
    return JSONResponse({"key": "raw"}, status_code=202)


class _Seen:
    """Counts what reaches the framework."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["app"].state.framework_served += 1
        await self.app(scope, receive, send)


def _app(*, has_fast_route: bool) -> FastAPI:
    app = FastAPI()
    app.state.framework_served = 0
    app.include_router(router)

    @app.exception_handler(VestibuleError)
    async def named(_request: Request, error: VestibuleError) -> Answer:
        return JSONResponse({"named": type(error).__name__}, status_code=404)

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, error: RequestValidationError) -> Answer:
        # As it stands a lone surrogate could not be answered.
        return JSONResponse([[one["type"], one["loc"]] for one in error.errors()], status_code=422)

    app.add_middleware(_Seen)
    if has_fast_route:
        app.add_middleware(FastDispatch, routers=[router])
    return app


async def _ask(app: FastAPI, asked: dict[str, Any]) -> Response:
    async with AsyncClient(transport=ASGITransport(app), base_url="http://127.0.0.1") as client:
        return await client.request(**asked)


def _keep(content: bytes, **headers: str) -> dict[str, Any]:
    return {"method": "POST", "url": "/keep", "content": content, "headers": {**JSON, **headers}}


PLAIN = [
    _keep(b'{"key":"a","value":"b"}'),
    _keep(b'{"key":"a","value":"b","ttl_s":5}', **{"x-agent": "me"}),
    _keep(b'{"key":"a","value":"b"}', **{"content-type": "application/json; charset=utf-8"}),
    _keep('{"key":"schlüssel 鍵","value":"\\u00e4"}'.encode()),
    _keep(b'{"key":"a","key":"b","value":"c"}'),
    _keep(b'{"key":"unknown","value":"b"}'),
    {"method": "POST", "url": "/either", "json": {"key": "a", "value": "b"}},
    {"method": "POST", "url": "/either?key=q"},
    {"method": "POST", "url": "/either"},
    {"method": "GET", "url": "/find?key=a%20%C3%A4+b"},
    {"method": "GET", "url": "/find?key=&limit=7"},
    {"method": "GET", "url": "/raw"},
    {"method": "GET", "url": "/parts"},
    {"method": "GET", "url": "/parts/7"},
    {"method": "GET", "url": "/parts/%37", "headers": {"X-Agent": "me"}},
]
FOR_THE_FRAMEWORK = [
    {"method": "GET", "url": "/find?key=&limit=7&other=1"},
    _keep(b'{"key":"a"'),
    _keep(b'{"key":"a"}'),
    _keep(b'{"key":"a","value":"b","more":1}'),
    _keep(b'{"key":"a","value":"\\ud800"}'),
    _keep(b'{"key":"a","value":"\xff"}'),
    _keep('{"key":"a","value":"b"}'.encode("utf-16")),
    _keep(b"[]"),
    _keep(b"null"),
    _keep(b""),
    _keep(b'{"key":"a","value":"b"}', **{"content-type": "text/plain"}),
    _keep(b'{"key":"a","value":"b"}', **{"content-type": "application/problem+json"}),
    {"method": "GET", "url": "/find"},
    {"method": "GET", "url": "/find?key=toolong"},
    {"method": "GET", "url": "/find?key=a&key=b"},
    {"method": "GET", "url": "/find?key=a&limit=x"},
    {"method": "POST", "url": "/find?key=a"},
    {"method": "GET", "url": "/nowhere"},
    {"method": "GET", "url": "/parts/seven"},
    {"method": "GET", "url": "/parts/"},
    {"method": "GET", "url": "/parts/7/8"},
    {"method": "GET", "url": "/parts/7%2F8"},
    {"method": "GET", "url": "/keep/"},
]


@pytest.mark.parametrize(
    ("asked", "served_by_framework"), [*((one, 0) for one in PLAIN), *((one, 1) for one in FOR_THE_FRAMEWORK)]
)
async def test_the_answer_is_the_same_by_either_way(asked: dict[str, Any], served_by_framework: int) -> None:
    """Status, headers and content are what the framework gives, and it serves what is not plain, once."""
    fast, framework = _app(has_fast_route=True), _app(has_fast_route=False)
    expected, actual = await _ask(framework, asked), await _ask(fast, asked)
    assert (expected.status_code, expected.content) == (actual.status_code, actual.content)
    assert dict(expected.headers) == dict(actual.headers)
    assert served_by_framework == fast.state.framework_served


async def test_a_body_in_pieces_is_read_whole() -> None:
    """It is read to its end, and is there for the framework where it is not plain."""

    async def ask(app: FastAPI, *pieces: bytes) -> Response:
        async def content() -> Any:
            for piece in pieces:
                yield piece

        return await _ask(app, _keep(content()))  # type: ignore[arg-type]

    app = _app(has_fast_route=True)
    assert {"key": "ab nobody", "size": 1.0} == orjson.loads((await ask(app, b'{"key":"a', b'b","value":"c"}')).content)
    assert 422 == (await ask(app, b'{"key":"a', b'b"}')).status_code


_LARGE = "x" * LARGE_BODY_BYTES


@pytest.mark.parametrize(
    ("content", "status", "answer"),
    [
        ({"key": "a", "value": _LARGE}, 201, None),
        ({"key": 1, "value": _LARGE}, 422, [["string_type", ["body", "key"]]]),
        ({"key": "a", "value": [[]] * 30_000}, 422, [["string_type", ["body", "value"]]]),
        ({"key": "a", **{f"m{number}": 1 for number in range(8_000)}}, 422, [["too_many_mistakes", ["body"]]]),
        (b'{"key": "a", "value": ' + b"[" * LARGE_BODY_BYTES, 400, None),
    ],
    ids=["valid", "invalid", "wide", "many", "deep"],
)
async def test_a_large_body_is_parsed_once(content: Any, status: int, answer: Any) -> None:
    """Where it is not valid, the framework does not parse it again, and its mistakes are not counted in thousands."""
    app = _app(has_fast_route=True)
    answered = await _ask(app, _keep(content if isinstance(content, bytes) else orjson.dumps(content)))
    assert (status, 0) == (answered.status_code, app.state.framework_served)
    assert answer is None or answer == answered.json()

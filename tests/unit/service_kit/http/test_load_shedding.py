"""A service that has too much to do refuses early, and takes requests again as soon as it can answer them."""

import asyncio
from dataclasses import dataclass

from httpx import ASGITransport, AsyncClient, Response
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Message, Receive, Scope, Send

from vestibule.service_kit.http.middleware import BODY_IS_INCOMPLETE, LATE_UNTIL_SHED, LOOK_EVERY_S, LoadShedder
from vestibule.service_kit.metrics.metrics import Metrics

AFTER_S = 0.5


@dataclass
class Clock:
    """A clock that stands until it is set."""

    now_s: float = 100.0

    def __call__(self) -> float:
        return self.now_s


class Slow:
    """Answers when it may."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.served = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/health":
            self.served += 1
            await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})


async def _gather(
    slow: Slow, client: AsyncClient, clock: Clock, path: str, count: int
) -> list["asyncio.Task[Response]"]:
    """Send requests and return when the last of them has been under way for long enough to be late."""
    expected = slow.served + count
    asking = [asyncio.create_task(client.post(path)) for _ in range(count)]
    while slow.served < expected:  # noqa: ASYNC110 - they begin one after the other
        await asyncio.sleep(0)
    clock.now_s += AFTER_S + LOOK_EVERY_S
    return asking


async def test_what_comes_while_many_are_late_is_refused_and_told() -> None:
    """A 503 with Retry-After and a problem, before anything is done; probes answer; what was taken is answered."""
    slow, metrics, clock = Slow(), Metrics("client"), Clock()
    app = LoadShedder(slow, AFTER_S, metrics, clock)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://127.0.0.1") as client:
        under_way = await _gather(slow, client, clock, "/add", LATE_UNTIL_SHED)
        refused = [await client.post("/add") for _ in range(3)]
        assert [(503, "1", "application/problem+json")] * 3 == [
            (one.status_code, one.headers["retry-after"], one.headers["content-type"]) for one in refused
        ]
        problem = refused[0].json()
        assert "/problems/overloaded" == problem["type"]
        assert f"urn:request:{refused[0].headers['x-request-id']}" == problem["instance"]
        assert 200 == (await client.get("/health")).status_code
        assert LATE_UNTIL_SHED == slow.served
        slow.may_answer.set()
        assert {200} == {one.status_code for one in await asyncio.gather(*under_way)}
        clock.now_s += LOOK_EVERY_S
        assert 200 == (await client.post("/add")).status_code
    counted = {
        tuple(sample.labels[name] for name in ("method", "route", "status")): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
        if sample.name == "vestibule_requests_total"
    }
    assert {("POST", "shed", "503"): float(len(refused))} == counted


async def test_few_that_are_late_and_many_that_wait_on_purpose_refuse_nobody() -> None:
    """Whether one waits for another part, or for its task to end, says nothing of how much there is to do."""
    slow, clock = Slow(), Clock()
    app = LoadShedder(slow, AFTER_S, Metrics("client"), clock)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://127.0.0.1") as client:
        late = await _gather(slow, client, clock, "/add", LATE_UNTIL_SHED - 1)
        late += await _gather(slow, client, clock, "/tasks/1?wait=30", LATE_UNTIL_SHED)
        slow.may_answer.set()
        assert 200 == (await client.post("/add")).status_code
        assert {200} == {one.status_code for one in await asyncio.gather(*late)}


async def test_callers_that_send_slowly_refuse_nobody() -> None:
    """The time of a request counts from the end of its body; hundreds that never end are no load."""
    clock, bodies = Clock(), asyncio.Event()
    reading = served = 0

    async def reads_body(_scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal reading, served
        reading += 1
        while (await receive()).get("more_body", False):
            pass
        served += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    app = LoadShedder(reads_body, AFTER_S, Metrics("client"), clock)
    sent: list[Message] = []

    async def ask(*, is_slow: bool) -> None:
        async def receive() -> Message:
            if is_slow:
                await bodies.wait()
            return {"type": "http.request", "body": b"all"}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/add"} | ({BODY_IS_INCOMPLETE: True} if is_slow else {})
        await app(scope, receive, send)

    slow = [asyncio.create_task(ask(is_slow=True)) for _ in range(LATE_UNTIL_SHED + 4)]
    while reading < len(slow):  # noqa: ASYNC110 - they begin one after the other
        await asyncio.sleep(0)
    clock.now_s += 20
    await ask(is_slow=False)
    assert 200 == sent[0]["status"]
    bodies.set()
    await asyncio.gather(*slow)
    assert len(slow) + 1 == served
    clock.now_s += 20
    await ask(is_slow=False)
    assert {200} == {message["status"] for message in sent if message["type"] == "http.response.start"}


async def test_it_can_be_switched_off() -> None:
    """Then everything is taken."""
    slow, clock = Slow(), Clock()
    app = LoadShedder(slow, 0, Metrics("client"), clock)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://127.0.0.1") as client:
        late = await _gather(slow, client, clock, "/add", LATE_UNTIL_SHED)
        late += await _gather(slow, client, clock, "/add", 3)
        slow.may_answer.set()
        assert {200} == {one.status_code for one in await asyncio.gather(*late)}

"""Each method of the client library against a running system, of both clients; and streams over cuts."""

import asyncio
import inspect
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import pytest

from servers.losing_proxy import losing_proxy
from vestibule.client import AsyncClient, Client, Retry
from vestibule.client.operations import OPERATIONS
from vestibule.contracts import errors

QUICK = Retry(attempts=6, first_pause_s=0.05)
KINDS = pytest.mark.parametrize("kind", [Client, AsyncClient], ids=lambda kind: kind.__name__)


async def do(value: Any) -> Any:
    """Return a result of either client."""
    return await value if inspect.isawaitable(value) else value


async def items(found: Any, most: int = 10_000) -> list[Any]:
    """Return what an iterator of either client yields, and close it."""
    taken: list[Any] = []
    if hasattr(found, "__aiter__"):
        async for one in found:
            taken.append(one)
            if len(taken) >= most:
                break
        if hasattr(found, "aclose"):
            await found.aclose()
        return taken
    for one in found:
        taken.append(one)
        if len(taken) >= most:
            break
    return taken


async def refused(kind: type[errors.VestibuleError], value: Callable[[], Any]) -> errors.VestibuleError:
    """Return the error of a call that is refused."""
    with pytest.raises(kind) as raised:
        await do(value())
    return raised.value


async def arrived(value: Callable[[], Any]) -> Any:
    """Return what a call finds as soon as it finds it: some records arrive a moment after the answer."""
    until = asyncio.get_running_loop().time() + 30
    while True:
        try:
            return await do(value())
        except errors.NotFound:
            assert asyncio.get_running_loop().time() < until
            await asyncio.sleep(0.1)


def recording(method: Callable[..., Any], called: set[str]) -> Callable[..., Any]:
    """Return a method of a transport that notes which operations it is called for."""

    def recorded(call: Any, *rest: Any) -> Any:
        called.add(call.operation_id)
        return method(call, *rest)

    return recorded


def drive(kind: type[Any], url: str, journey: Callable[[Any, str], Any], **options: Any) -> set[str]:
    """Run a journey with a client of a kind, and return the operations that it called."""
    called: set[str] = set()

    async def run() -> None:
        client = kind(url, "SECRET_TOKEN", **{"retry": QUICK, **options})
        transport = client._transport
        for name in ("answer", "events"):
            setattr(transport, name, recording(getattr(transport, name), called))
        try:
            await journey(client, uuid4().hex[:12])
        finally:
            await do(client.aclose() if isinstance(client, AsyncClient) else client.close())

    asyncio.run(run())
    return called


async def entries(client: Any, mark: str) -> None:
    """Add, read, list and delete."""
    key = f"lib/{mark}/a"
    added = await do(client.entries.add(key, "hello", if_version=0, ttl_s=600, receipt=True))
    assert (key, 1, []) == (added.key, added.version, added.findings)
    assert added.receipt is not None
    assert timedelta(minutes=9) < added.expires_at - datetime.now(UTC) < timedelta(minutes=11)
    conflict = await refused(errors.PreconditionFailed, lambda: client.entries.add(key, "x", if_version=7))
    assert 1 == conflict.extra["current_version"]
    found = await refused(errors.PersonalDataFound, lambda: client.entries.add(key, "write to jane@example.org"))
    assert "EMAIL_ADDRESS" == found.extra["findings"][0]["entity"]
    await refused(errors.FormNotFound, lambda: client.forms.submit(f"none-{mark}", {"email": "jane@example.org"}))
    many = await do(client.entries.add_many({f"lib/{mark}/{n}": "hello" for n in range(5)}))
    assert [1] * 5 == [one.version for one in many]
    assert ["hello", None] == [
        one and one.value for one in await do(client.entries.read_many([key, f"lib/{mark}/none"]))
    ]
    entry = await do(client.entries.read(key))
    assert ("hello", 1) == (entry.value, entry.version)
    assert await do(client.entries.read_if_changed(key, 1)) is None
    assert "hello" == (await do(client.entries.read_if_changed(key, 9))).value
    assert [1] == [one.version for one in (await do(client.entries.history(key))).revisions]
    pages = client.entries.keys(f"lib/{mark}/", page_size=2)
    assert [2, 2, 2] == [len(page.keys) for page in await items(pages.pages())]
    assert sorted([key, *(f"lib/{mark}/{n}" for n in range(5))]) == await items(pages)
    first = await do(pages.page())
    rest = client.entries.keys(f"lib/{mark}/", cursor=first.cursor)
    assert 4 == len(await items(rest))
    assert (await do(client.entries.delete(key, if_version=1))).deleted
    await refused(errors.KeyNotFound, lambda: client.entries.read(key))
    await refused(errors.KeyNotFound, lambda: client.entries.history(f"{key}/none"))


async def tasks(client: Any, mark: str) -> None:
    """Run, wait for, follow, list, cancel, retry and drop."""
    key = f"lib/{mark}"
    await do(client.entries.add(key, "hello"))
    accepted = await do(client.tasks.run(key, "normalize", write_to=f"{key}/out", priority="high"))
    done = await do(client.tasks.wait(accepted.task_id, 30))
    assert ("succeeded", "hello", True) == (done.state, done.result, done.has_ended)
    assert "succeeded" == (await items(client.tasks.follow(accepted.task_id)))[-1].state
    later = await do(client.tasks.run(key, delay_s=3600))
    assert "due_later" == (await do(client.tasks.get(later.task_id))).waiting.reason
    assert "cancelled" == (await do(client.tasks.cancel(later.task_id))).state
    conflict = await refused(errors.TaskConflict, lambda: client.tasks.cancel(later.task_id))
    assert "cancelled" == conflict.extra["state"]
    assert later.task_id == (await do(client.tasks.retry(later.task_id))).task_id
    listed = await items(client.tasks.list(key=key, page_size=1))
    assert [later.task_id, accepted.task_id] == [one.task_id for one in listed]
    counts = await do(client.tasks.counts())
    assert counts.states["succeeded"] >= 1
    broken = (await do(client.messages.send("no json", "json_pointer", options={"pointer": "/a"}))).task_id
    assert (await do(client.tasks.wait(broken, 30))).state in {"failed", "dead"}
    # The end is told before the ledger of the list, in another process, has it.
    while broken not in {one.task_id for one in await items(client.tasks.list(state=["failed", "dead"]))}:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    assert "ABC" == (await do(client.messages.send("abc", mode="sync"))).reply
    await refused(errors.UnknownProcessor, lambda: client.messages.send("abc", "none"))
    assert {"uppercase", "normalize"} <= {one.name for one in await do(client.processors.list())}
    assert [] == [one for one in await items(client.dead_tasks.list(page_size=5)) if one.state != "dead"]
    await refused(errors.TaskNotFound, lambda: client.dead_tasks.retry(mark))
    await refused(errors.TaskNotFound, lambda: client.dead_tasks.drop(mark))
    await refused(errors.WebhooksDisabled, client.tasks.webhook_key)
    await do(client.tasks.run(key, delay_s=3600))
    chosen = {"key": key, "state": "queued"}
    preview = await do(client.bulk_jobs.preview("cancel", **chosen))
    started = await do(client.bulk_jobs.start("cancel", confirm=preview.confirm, reason="a test", **chosen))
    assert "cancel" == (await do(client.bulk_jobs.get(started.job_id))).action


async def schedules(client: Any, mark: str) -> None:
    """Add, list, pause, resume, run and delete; and the queue."""
    added = await do(client.schedules.add(every_s=3600, text="hello", timezone="Europe/Berlin", receipt=True))
    name = added.schedule_id
    assert added.receipt is not None
    assert name in {one.schedule_id for one in await do(client.schedules.list())}
    assert "paused" == (await do(client.schedules.pause(name))).state
    assert "active" == (await do(client.schedules.resume(name))).state
    task_id = (await do(client.schedules.run(name))).task_id
    assert "HELLO" == (await do(client.tasks.wait(task_id, 30))).result
    assert 5 == len((await do(client.schedules.get(name))).next_runs)
    assert (await do(client.schedules.delete(name))).deleted
    await refused(errors.ScheduleNotFound, lambda: client.schedules.get(name))
    changed = await do(client.queue.pause(reason="a test", processor="summarize_entities"))
    assert ("summarize_entities", True) == (changed.processor, changed.is_paused)
    state = await do(client.queue.get())
    assert [True] == [one.is_paused for one in state.processors if one.name == "summarize_entities"]
    assert not (await do(client.queue.resume(reason="a test", processor="summarize_entities"))).is_paused
    assert {"alive"} == {one.state for one in await do(client.workers.list())}


async def alerts(client: Any, mark: str) -> None:
    """Find, acknowledge and resolve alerts, silence them, and let a value pass."""
    blocked = await refused(errors.PersonalDataFound, lambda: client.entries.add(mark, f"to jane.{mark}@example.org"))
    alert_id = blocked.extra["alert_id"]
    newest = await items(client.alerts.list(type="PersonalData", entity="EMAIL_ADDRESS", page_size=1), most=3)
    assert alert_id in {one.id for one in newest}
    assert [alert_id] == [one.id for one in await items(client.alerts.list(q=alert_id))]
    detail = await arrived(lambda: client.alerts.acknowledge(alert_id, reason="a test"))
    group_id = detail.group.id
    assert "acknowledged" == (await do(client.alerts.get(alert_id))).group.state
    assert "acknowledged" == (await do(client.alert_groups.acknowledge(group_id))).state
    assert group_id in {one.id for one in await items(client.alert_groups.list(state="acknowledged", page_size=2))}
    assert "resolved" == (await do(client.alert_groups.resolve(group_id, reason="a test"))).state
    assert "a test" == (await do(client.alert_groups.get(group_id))).history[-1].reason
    await refused(errors.AlertGroupNotFound, lambda: client.alert_groups.resolve(group_id))
    await refused(errors.AlertNotFound, lambda: client.alerts.resolve(alert_id))
    silence = await do(client.silences.add(reason="a test", hours=1, type="Test"))
    assert silence.id in {one.id for one in await do(client.silences.list())}
    changed = await do(client.silences.change(silence.id, hours=2, reason="longer"))
    assert changed.end - silence.end > timedelta(minutes=50)
    assert silence.id == (await do(client.silences.end(silence.id))).id
    assert (await do(client.silences.get(silence.id))).end <= datetime.now(UTC)
    assert silence.id in {one.id for one in await do(client.silences.list(ended=True))}
    for channel in await do(client.channels.list()):
        assert channel.name
    await refused(errors.ChannelNotFound, lambda: client.channels.test("none"))
    allowance = await do(client.allowances.add(alert_id=alert_id, reason="a test", hours=1))
    assert "EMAIL_ADDRESS" == allowance.entity
    assert allowance.id in {one.id for one in await do(client.allowances.list())}
    assert (await do(client.allowances.revoke(allowance.id))).revoked_by is not None


async def privacy(client: Any, mark: str) -> None:
    """Scan, find and erase; decisions, receipts and traces."""
    seen = await do(client.detection.preview("to jane@example.org", key="note"))
    assert ("blocked", None, "block") == (seen.outcome, seen.text, seen.findings[0].action)
    assert [] == await do(client.detection.scan("to jane@example.org", allow=["jane@example.org"]))
    findings = await do(client.detection.scan("to jane@example.org", explain=True))
    assert ("EMAIL_ADDRESS", 3, 19) == (findings[0].entity, findings[0].start, findings[0].end)
    assert findings[0].because.rule
    assert [0, 1] == [len(one) for one in await do(client.detection.scan_many(["a", "to jane@example.org"]))]
    await refused(errors.UnknownToken, lambda: client.detection.reveal("<EMAIL_ADDRESS.v1.x.y>", reason="a test"))
    value = f"subject{mark}"
    await do(client.entries.add(f"lib/{mark}", f"about {value}"))
    found = await do(client.subjects.find(value, reason="a test"))
    while not found.has_ended:
        found = await do(client.subjects.get_find(found.find_id))
    assert {"entry"} <= {one.kind for one in found.found}
    assert (await do(client.subjects.try_erasure(value, reason="a test"))).is_dry_run
    assert found.find_id == (await do(client.subjects.get_find(found.find_id))).find_id
    erased = await do(client.subjects.erase(value, reason="a test"))
    assert "running" != (await do(client.subjects.get_erasure(erased.erasure_id))).state or not erased.has_ended
    assert await do(client.subjects.erase_without_reason(value))
    assert (await do(client.subjects.processing_record())).stores
    assert (await do(client.subjects.processing_record_as_markdown())).startswith("#")
    blocked = await refused(errors.PersonalDataFound, lambda: client.entries.add(mark, "to jane@example.org"))
    decision_id = blocked.extra["decision_id"]
    receipt = await arrived(lambda: client.receipts.get(decision_id))
    assert decision_id == receipt.decision_id
    assert (await do(client.receipts.keys())).keys[0]["kid"]
    listed = await items(client.decisions.list(route="/add", outcome="blocked", page_size=1), most=3)
    assert {"block"} == {one.action for one in listed}
    assert 5 == len((await do(client.decisions.rates(5))).minutes)
    assert (await do(client.decisions.counts(since=datetime.now(UTC) - timedelta(days=1)))).counts
    trace = await do(client.traces.get(blocked.request_id))
    assert {"decision", "alert"} <= {one.kind for one in trace.events}


async def revoked(client: Any, token_id: str) -> list[Any]:
    """Return the newest lines of the audit about revoked tokens when that one is among them."""
    lines = await items(client.audit.list(act="token_revoked", page_size=1), most=5)
    if token_id not in {one.target for one in lines}:
        raise errors.NotFound("The line has not arrived.")
    return lines


async def administration(client: Any, mark: str) -> None:
    """Tokens, the audit, the policy and its drafts, and what the services say about themselves."""
    created = await do(client.tokens.create(f"library-{mark}", scopes=["read"], expires_in_s=600))
    assert created.token not in repr(created)
    rotated = await do(client.tokens.rotate(created.id, overlap_s=0))
    assert created.token != rotated.token
    assert "tokens" in (await do(client.tokens.own())).scopes
    assert created.id in {one.id for one in await items(client.tokens.list(page_size=1))}
    assert await do(client.tokens.revoke(created.id)) is None
    await refused(errors.TokenNotFound, lambda: client.tokens.revoke(created.id))
    lines = await arrived(lambda: revoked(client, created.id))
    assert (await do(client.audit.head())).seq >= lines[0].seq
    rules = client.policy.get(page_size=1)
    assert (await do(rules.page())).version
    assert len(await items(rules)) >= 1
    draft = '[entities]\nEMAIL_ADDRESS = "redact"\n'
    assert (await do(client.policy.check(draft))).valid
    sample = {"text": "to jane@example.org", "expect": "redact"}
    assert 0 == (await do(client.policy.test([sample], policy=draft))).mismatches
    assert (await do(client.policy.replay(policy=draft, days=1))).policy
    assert "client" == (await do(client.services.health())).service
    assert "ok" == (await do(client.services.readiness())).status
    assert "vestibule_" in await do(client.services.metrics())
    assert len(await do(client.services.problem_types())) > 30
    assert 404 == (await do(client.services.problem_type("key-not-found"))).status


async def scheduler(client: Any, mark: str) -> None:
    """The status, heartbeats and maintenance windows of the scheduler service."""
    assert {"client", "database"} <= {part.name for part in (await do(client.status.get())).parts}
    assert "<html" in await do(client.status.page())
    assert "<svg" in await do(client.status.badge("client"))
    name = f"job-{mark}"
    assert "running" == (await do(client.heartbeats.start(name, period_s=60))).state
    assert "up" == (await do(client.heartbeats.ping(name, grace_s=30))).state
    assert "failed" == (await do(client.heartbeats.fail(name))).state
    assert name in {one.name for one in await do(client.heartbeats.list())}
    until = datetime.now(UTC) + timedelta(minutes=5)
    window = await do(client.maintenance.add(f"heartbeat:{name}", until=until, reason="a test"))
    assert (until, f"heartbeat:{name}") == (window.ends, window.part)
    assert window.id in {one.id for one in await do(client.maintenance.list())}
    assert (await do(client.maintenance.end(window.id))).ends < until
    assert (await do(client.heartbeats.delete(name))).deleted
    await refused(errors.HeartbeatNotFound, lambda: client.heartbeats.delete(name))


# Streams do not end, and have tests of their own.
STREAMS = {"watch_entries"}
JOURNEYS = (entries, tasks, schedules, alerts, privacy, administration, scheduler)


@KINDS
def test_every_method(kind: type[Any], system: Any) -> None:
    """Both clients have a method for each operation, and each does what it says."""
    called: set[str] = set()
    for journey in JOURNEYS:
        called |= drive(kind, system.url, journey)
    assert set(OPERATIONS) - STREAMS == called


@KINDS
def test_lost_answers_have_one_effect(kind: type[Any], system: Any) -> None:
    """The proxy loses the first answers of each request: the entry has one version, and one task was accepted."""
    seen: dict[str, int] = {}

    def loses(request: Any) -> bool:
        what = f"{request.command} {request.path}"
        seen[what] = seen.get(what, 0) + 1
        return seen[what] <= 2

    async def journey(client: Any, mark: str) -> None:
        key = f"lost/{mark}"
        assert 1 == (await do(client.entries.add(key, "hello"))).version
        assert 1 == (await do(client.entries.read(key))).version
        accepted = await do(client.tasks.run(key))
        assert [accepted.task_id] == [one.task_id for one in await items(client.tasks.list(key=key))]
        assert "HELLO" == (await do(client.tasks.wait(accepted.task_id, 30))).result

    with losing_proxy(system.base_port) as proxy:
        proxy.losing = loses
        called = drive(kind, proxy.url, journey)
        assert {"add_entry", "read_entry", "run_task", "list_tasks", "get_task"} == called
        assert proxy.lost >= 8


GUIDE = Path(__file__).parents[2] / "docs" / "client.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)


def test_every_example_of_the_guide_runs(system: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands there, with the address of this system; somebody changes entries meanwhile."""
    assert len(EXAMPLES) > 6
    monkeypatch.setenv("VESTIBULE_URL", system.url)
    monkeypatch.delenv("VESTIBULE_SCHEDULER_URL", raising=False)
    monkeypatch.delenv("VESTIBULE_TOKEN", raising=False)
    has_ended = Event()

    def change_entries() -> None:
        with Client() as vestibule:
            while not has_ended.wait(0.2):
                vestibule.entries.add("orders/1", "a chair")

    changing = Thread(target=change_entries)
    changing.start()
    try:
        for example in EXAMPLES:
            exec(example.replace("http://127.0.0.1:8000", system.url), {"__name__": "example"})
    finally:
        has_ended.set()
        changing.join(30)


def test_the_guide_has_every_resource_and_method() -> None:
    """The table names what a client has, and nothing else."""
    rows = re.findall(r"^\| (`[^|]*) \| ([^|]*) \|$", GUIDE.read_text().split("## Resources")[1].split("##")[0], re.M)
    resources = [name for names, _ in rows for name in re.findall(r"`(\w+)`", names)]
    with Client("http://127.0.0.1:1") as client:
        own = {name for name in dir(type(client)) if not name.startswith("_")}
        assert sorted(own - {"url", "scheduler_url", "with_options", "close"}) == sorted(resources)
        for names, methods in rows:
            kinds = [type(getattr(client, name)) for name in re.findall(r"`(\w+)`", names)]
            public = {name for kind in kinds for name in dir(kind) if not name.startswith("_")}
            assert public == set(re.findall(r"`(\w+)`", methods))

"""No way of writing a private address gets a request out of the system: callbacks and `http_forward`."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from servers.receivers import Answer, HttpReceiver, Posted, running

HOSTS = (
    *("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.0.0.1."),
    *("0.0.0.0", "0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:1]"),
    *("[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::ffff:0:127.0.0.1]", "[fe80::1%25lo]"),
    *("localhost", "LOCALHOST", "localhost.", "ip6-localhost", "localhost.localdomain", "a.localhost"),
    *("127.0.0.1.nip.io", "user@127.0.0.1", "public.example@127.0.0.1", "127.0.0.1%00.example.org", "127。0。0。1"),
    *("①②⑦.0.0.1", "169.254.169.254", "[fd00:ec2::254]", "10.0.0.1", "192.168.0.1", "172.16.0.1", "100.64.0.1"),
)
OTHERS = (
    *(
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/_x",
        "ftp://127.0.0.1:{port}/",
        "unix:///run/x",
        "//127.0.0.1:{port}/",
    ),
    *(
        "http:/\\127.0.0.1:{port}/",
        "http://public.example\\@127.0.0.1:{port}/",
        "http://127.0.0.1:{port}#@public.example/",
    ),
    *("http://127.0.0.1:{port}\r\nHost: x/", "http://127.0.0.1:{port}/ HTTP/1.1\r\nX: y", " http://127.0.0.1:{port}/"),
    *(
        "http://[::1]:{port}x/",
        "http://127.0.0.1:0{port}/",
        "http://127.0.0.1:99999/",
        "http://",
        "HTTP://127.0.0.1:{port}/",
    ),
)
SECRET = "s" * 40
MARK = "canary-7f3a"


@pytest.fixture(scope="module")
def inside() -> Iterator[HttpReceiver]:
    """What stands on a private address, and must hear nothing."""
    with running(HttpReceiver()) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def redirecting() -> Iterator[HttpReceiver]:
    """A receiver that may be sent to, and that leads elsewhere."""
    with running(HttpReceiver(answer=lambda _posted: Answer(307))) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def attacked(start_for_module: Any, redirecting: HttpReceiver) -> Any:
    """A system that may send to every public host, and to one receiver."""
    return start_for_module(
        VESTIBULE_CALLBACK_SECRET=SECRET,
        VESTIBULE_CALLBACK_ORIGINS=json.dumps(["https://*", "http://*", redirecting.url()]),
        VESTIBULE_FORWARD_SCHEMES='["http", "https"]',
        VESTIBULE_FORWARD_HOSTS=json.dumps([*HOSTS, "public.example", "127.0.0.1"]),
    )


def _addresses(port: int) -> list[str]:
    return [f"http://{host}:{port}/{MARK}" for host in HOSTS] + [other.replace("{port}", str(port)) for other in OTHERS]


def test_no_callback_reaches_a_private_address(
    attacked: Any, inside: HttpReceiver, wait_until: Callable[..., Any]
) -> None:
    """Refused at the door, or, as a name, when it is connected to: nothing arrives."""
    accepted = []
    for url in _addresses(inside.server_port):
        answer = attacked.http.post("/messages", json={"text": "some text", "callback": url})
        assert answer.status_code in (202, 422), (url, answer.text)
        assert url not in answer.text
        if answer.status_code == 202:
            accepted.append(answer.json()["task_id"])
    for task_id in accepted:
        assert "succeeded" == attacked.http.get(f"/tasks/{task_id}", params={"wait": 30}).json()["state"]
        tried = partial(attacked.log_lines, event="callback_not_delivered", task_id=task_id)
        wait_until(tried, 60, "an attempt to deliver it")
    assert [] == inside.posted


def test_nothing_is_forwarded_to_a_private_address(attacked: Any, inside: HttpReceiver) -> None:
    """The task fails, and the receiver hears nothing, although the operator allows each of these hosts by name."""
    started = {}
    for url in _addresses(inside.server_port):
        work = {"text": "some text", "processor": "http_forward", "options": {"url": url}}
        answer = attacked.http.post("/messages", json=work)
        assert answer.status_code in (202, 422), (url, answer.text)
        if answer.status_code == 202:
            started[answer.json()["task_id"]] = url
    for task_id, url in started.items():
        assert "succeeded" != attacked.http.get(f"/tasks/{task_id}", params={"wait": 10}).json()["state"], url
    assert [] == inside.posted


def test_no_redirect_leads_what_is_forwarded_to_a_private_address(start: Any, inside: HttpReceiver) -> None:
    """A host that data may be sent to answers that it is elsewhere: the task fails, and nobody goes there."""

    def lead(posted: Posted) -> Answer:
        return Answer(int(posted.path[1:]), location=inside.url(f"/{MARK}"))

    with running(HttpReceiver("localhost", lead)) as leading:
        system = start(
            VESTIBULE_FORWARD_SCHEMES='["http"]',
            VESTIBULE_FORWARD_HOSTS='["localhost"]',
            VESTIBULE_FORWARD_PRIVATE="true",
        )
        for status in (301, 302, 303, 307, 308):
            options = {"url": leading.url(f"/{status}")}
            sent = {"text": "some text", "processor": "http_forward", "options": options}
            task = system.http.post("/messages", json=sent).json()
            ended = system.http.get(task["status_url"], params={"wait": 30}).json()
            assert ("failed", f"/{status}") == (ended["state"], leading.posted[-1].path)
        assert 5 == len(leading.posted)
    assert [] == inside.posted


def test_a_redirect_is_not_followed(attacked: Any, redirecting: HttpReceiver, wait_until: Callable[..., Any]) -> None:
    """A receiver that may be sent to leads to a place of its own, which nobody visits; the address is in no log."""
    sent = {"text": "some text", "callback": redirecting.url(f"/{MARK}")}
    assert 202 == attacked.http.post("/messages", json=sent).status_code
    wait_until(lambda: redirecting.posted, 30, "the callback")
    assert {f"/{MARK}"} == {posted.path for posted in redirecting.posted}
    assert MARK.encode() not in attacked.everything_written()

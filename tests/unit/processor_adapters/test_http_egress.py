"""Data leaves only to where the settings allow, over the guard that notifications go through."""

import hashlib
import hmac
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from servers.receivers import Answer, HttpReceiver, Posted, running
from vestibule.processing import Job, ProcessingInterrupted, ProcessorContext, ProcessorRegistry
from vestibule.processing.ports import UNCONFIGURED, AnswerTooLarge, CannotProcess, ForwardForbidden
from vestibule.processor_adapters import ProcessorSettings, check_processors
from vestibule.processor_adapters.ports import MOST_ANSWER_BYTES, GuardedHttpEgress


def _answer(posted: Posted) -> Answer:
    if posted.path == "/much":
        return Answer(body=b"x" * (MOST_ANSWER_BYTES + 1))
    status = int(posted.path[1:]) if posted.path[1:].isdigit() else 200
    return Answer(status, b"taken: " + posted.body, headers=(("Retry-After", "60"),) if status == 503 else ())


@pytest.fixture(scope="module")
def receiver() -> Iterator[HttpReceiver]:
    """A real server on loopback."""
    with running(HttpReceiver("localhost", _answer)) as server:
        yield server


def _egress(**given: Any) -> GuardedHttpEgress:
    settings = ProcessorSettings(
        **{"forward_hosts": ["localhost"], "forward_schemes": ["http"], "forward_private": True, **given}
    )
    return GuardedHttpEgress(settings.forward_guard, settings.forward_secret.get_secret_value())


def _forward(egress: GuardedHttpEgress, url: str, data: str = "hello") -> str:
    context = ProcessorContext(UNCONFIGURED.inspection, egress, UNCONFIGURED.processors)
    built_in = ProcessorRegistry.discover()
    registry = ProcessorRegistry([built_in.find("http_forward")], context)
    return registry.process("http_forward", data, {"url": url}, Job("task-7"))


def test_what_is_sent_arrives_once_to_be_told_and_signed(receiver: HttpReceiver) -> None:
    """The key is the id of the work, and the signature is that of webhooks."""
    egress = _egress(forward_secret=SecretStr("the-key"))
    assert "taken: grüße" == _forward(egress, receiver.url("/in"), "grüße")
    path, headers, body = receiver.posted[-1]
    signed = f"{headers['x-vestibule-timestamp']}.".encode() + body
    expected = f"sha256={hmac.new(b'the-key', signed, hashlib.sha256).hexdigest()}"
    assert ("/in", "task-7", expected) == (path, headers["idempotency-key"], headers["x-vestibule-signature"])
    assert "text/plain; charset=utf-8" == headers["content-type"]


def test_a_redirect_is_final_and_not_followed(receiver: HttpReceiver) -> None:
    """Nobody sends data on to where nobody checked."""
    before = len(receiver.posted)
    with pytest.raises(CannotProcess) as caught:
        _forward(_egress(), receiver.url("/302"))
    assert ("ForwardRefused", ["/302"]) == (caught.value.kind, [path for path, _, _ in receiver.posted[before:]])


def test_too_large_an_answer_is_not_read(receiver: HttpReceiver) -> None:
    """It takes no memory, and is no result."""
    with pytest.raises(AnswerTooLarge):
        _forward(_egress(), receiver.url("/much"))


def _cause(url: str, **given: Any) -> str | None:
    with pytest.raises(ProcessingInterrupted) as caught:
        _forward(_egress(**given), url)
    return caught.value.cause


def test_silence_may_pass(receiver: HttpReceiver) -> None:
    """A host where nobody listens, one that says nothing, an unknown name, and one that does not speak TLS."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert "connection_refused" == _cause(closed, forward_hosts=["127.0.0.1"])
        silent.listen()
        assert "timeout" == _cause(closed, forward_hosts=["127.0.0.1"], forward_timeout_s=0.2)
    assert "dns" == _cause("http://nobody.invalid/", forward_hosts=["nobody.invalid"])
    assert "tls" == _cause(receiver.url("/in").replace("http:", "https:"), forward_schemes=["https"])


def test_when_the_receiver_wants_it_is_known(receiver: HttpReceiver) -> None:
    """The header comes through the guard, and the least wait with the error."""
    with pytest.raises(ProcessingInterrupted) as caught:
        _forward(_egress(), receiver.url("/503"))
    assert ("http_503", 60.0) == (caught.value.cause, caught.value.retry_after_s)


def test_an_address_that_is_not_public_gets_nothing(receiver: HttpReceiver) -> None:
    """A name on the list that leads into the own network is refused when it is looked up, for good."""
    before = len(receiver.posted)
    egress = _egress(forward_private=False)
    assert egress.refusal_of(receiver.url("/in")) is None
    with pytest.raises(ForwardForbidden):
        egress.post(receiver.url("/in"), b"hello", {})
    assert before == len(receiver.posted)


@pytest.mark.parametrize(
    "url",
    [
        "https://localhost/",
        "http://elsewhere.example/",
        "http://tr0ub4dor@localhost/",
        "http://localhost/#tr0ub4dor",
        "http://localhost:99999/",
        "http://[::1",
        "localhost",
        "file:///etc/passwd",
        "http://",
        "http://localhost/\n",
        "http://localhost.elsewhere.example/",
    ],
)
def test_other_addresses_are_refused_at_once(url: str) -> None:
    """The refusal says what is allowed, and does not repeat what was asked for."""
    reason = _egress().refusal_of(url)
    assert reason is not None
    assert "tr0ub4dor" not in reason
    with pytest.raises(ForwardForbidden):
        _egress().post(url, b"hello", {})


def test_without_hosts_nothing_is_sent_anywhere() -> None:
    """Who does not name a host has not asked for anything to leave."""
    assert "names no host" in str(
        GuardedHttpEgress(ProcessorSettings().forward_guard).refusal_of("https://example.org/")
    )
    assert "http_forward" in check_processors(ProcessorSettings()).names

"""What processors say no to, and how: an error that may pass, or one that says why it will not."""

from collections.abc import Mapping
from typing import Any

import pytest

from vestibule.contracts.errors import InvalidInput
from vestibule.processing import EgressReply, Job, ProcessingInterrupted, ProcessorContext, ProcessorRegistry
from vestibule.processing.ports import ECHO, UNCONFIGURED, CannotProcess, EchoEgress, ResultNotText

BUILT_IN = ProcessorRegistry.discover()


class _Receiver(EchoEgress):
    """A receiver that answers as it is told."""

    def __init__(self, answer: EgressReply) -> None:
        super().__init__()
        self.answer = answer

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> EgressReply:
        super().post(url, body, headers)
        return self.answer


def _with(egress: EchoEgress) -> ProcessorRegistry:
    known = [BUILT_IN.find(name) for name in BUILT_IN.names]
    return ProcessorRegistry(known, ProcessorContext(UNCONFIGURED.inspection, egress, UNCONFIGURED.processors))


@pytest.mark.parametrize(
    ("data", "pointer", "kind"),
    [
        ("no json", "", "NotJson"),
        ("NaN", "", "NotJson"),
        ("[1e999]", "/0", "NotJson"),
        ("[" * 100_000, "/0", "NotJson"),
        ("9" * 5_000, "", "NotJson"),
        ('{"a": [1]}', "/b", "PointerLeadsNowhere"),
        ('{"a": [1]}', "/a/1", "PointerLeadsNowhere"),
        ('{"a": [1]}', "/a/-", "PointerLeadsNowhere"),
        ('{"a": [1]}', "/a/00", "PointerLeadsNowhere"),
        ('{"a": [1]}', "/a/٠", "PointerLeadsNowhere"),
        ('{"a": 1}', "/a/b", "PointerLeadsNowhere"),
        (r'["\ud800"]', "/0", "ResultNotText"),
    ],
)
def test_a_pointer_that_leads_nowhere_says_why(data: str, pointer: str, kind: str) -> None:
    """No document breaks it, and each refusal has a kind of its own."""
    with pytest.raises(CannotProcess) as caught:
        BUILT_IN.process("json_pointer", data, {"pointer": pointer})
    assert kind == caught.value.kind


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_receiver_that_may_take_it_later_interrupts(status: int) -> None:
    """The task is tried again, not before the receiver wants it; the status is the cause."""
    with pytest.raises(ProcessingInterrupted) as caught:
        _with(_Receiver(EgressReply(status, b"", 120.0))).process("http_forward", "x", {"url": ECHO})
    assert (f"http_{status}", 120.0) == (caught.value.cause, caught.value.retry_after_s)


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 403, 404, 409, 413, 422])
def test_a_receiver_that_says_no_is_final(status: int) -> None:
    """It would say so each time; a redirect is nothing that was allowed."""
    with pytest.raises(CannotProcess) as caught:
        _with(_Receiver(EgressReply(status, b""))).process("http_forward", "x", {"url": ECHO})
    assert ("ForwardRefused", f"http_{status}") == (caught.value.kind, caught.value.cause)


def test_an_answer_that_is_no_text_is_no_result() -> None:
    """It could not be stored."""
    with pytest.raises(ResultNotText):
        _with(_Receiver(EgressReply(200, b"\xff"))).process("http_forward", "x", {"url": ECHO})


def test_each_step_of_a_chain_is_one_piece_of_work_at_every_attempt() -> None:
    """A receiver that gets two things from one task tells them apart, and knows each when it comes again."""
    egress = EchoEgress()
    forward = {"processor": "http_forward", "options": {"url": ECHO}}
    for _attempt in range(2):
        made = _with(egress).process("chain", "x", {"steps": [forward, {"processor": "uppercase"}, forward]}, Job("t"))
        assert "X" == made
    keys = [headers["Idempotency-Key"] for _, headers in egress.sent]
    assert (["t.1", "t.3"] * 2, [b"x", b"X"] * 2) == (keys, [body for body, _ in egress.sent])


@pytest.mark.parametrize(
    ("name", "options", "where"),
    [
        ("uppercase", {"anything": 1}, "body/options"),
        ("json_pointer", {}, "body/options/pointer"),
        ("json_pointer", {"pointer": "tr0ub4dor"}, "body/options/pointer"),
        ("redact", {"action": "tr0ub4dor"}, "body/options/action"),
        ("http_forward", {"url": "https://tr0ub4dor.example/"}, "body/options/url"),
        ("chain", {"steps": []}, "body/options/steps"),
        ("chain", {"steps": [{"processor": "chain"}]}, "body/options/steps/0/processor"),
        (
            "chain",
            {"steps": [{"processor": "uppercase"}, {"processor": "tr0ub4dor"}]},
            "body/options/steps/1/processor",
        ),
        (
            "chain",
            {"steps": [{"processor": "json_pointer", "options": {"pointer": "tr0ub4dor"}}]},
            "body/options/steps/0/options/pointer",
        ),
    ],
)
def test_a_wrong_option_is_named_and_not_repeated(name: str, options: dict[str, Any], where: str) -> None:
    """The caller learns which it is, also within a chain; what it was is said nowhere."""
    with pytest.raises(InvalidInput) as caught:
        _with(EchoEgress()).read_options(name, options)
    assert where in {mistake["where"] for mistake in caught.value.extra["errors"]}  # type: ignore[attr-defined]
    assert "tr0ub4dor" not in f"{caught.value.detail} {caught.value.extra}"

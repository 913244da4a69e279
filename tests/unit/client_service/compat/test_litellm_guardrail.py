"""The guardrail blocks what it cannot vouch for, and gives values back only where that is recorded."""

from pathlib import Path
from typing import Any

import pytest

from vestibule.alerts import Alert, AlertEngine
from vestibule.client_service.compat.litellm.guardrail import GuardrailService
from vestibule.client_service.compat.litellm.payload import GuardrailReply, GuardrailRequest
from vestibule.client_service.conversations.revealing import TextReveals
from vestibule.client_service.conversations.store import Conversation, ConversationId, Conversations
from vestibule.client_service.decisions.audit import DecisionAudit
from vestibule.client_service.decisions.publisher import DecisionPublisher
from vestibule.client_service.decisions.rates import RateCounter
from vestibule.client_service.screening.detokenization import Detokenizer
from vestibule.client_service.screening.screener import Screener
from vestibule.contracts.audit import Act
from vestibule.contracts.errors import Unavailable
from vestibule.detection import DetectionSettings, Scanner
from vestibule.policy import Situation
from vestibule.policy.decision_log import DecisionLog
from vestibule.policy.policy import PolicyFile
from vestibule.policy.stand_ins import StandIn, StandIns
from vestibule.processor_adapters import Pseudonymizer
from vestibule.processor_adapters.detector_vocabulary import read_vocabulary

ROUTE = "/beta/litellm_basic_guardrail_api"
MAIL = "jane.roe@example.org"
SENDER = Situation(ROUTE, "t-1", "gateway")
POLICY = """
default = "number"
[guardrail]
images = "block"
reveal = ["gateway"]
"""
KNOWN = StandIn("EMAIL_ADDRESS", MAIL, "<EMAIL_ADDRESS_1>", is_number=True)


class _Alerts(AlertEngine):
    """Keeps what is raised; the disk may be full."""

    def __init__(self) -> None:
        super().__init__("client", {}, lambda *_: None)
        self.raised: list[Alert] = []
        self.is_recorded = True

    async def raise_alert(self, *given: Any, **members: Any) -> Alert:
        alert = await super().raise_alert(*given, **members)
        object.__setattr__(alert, "is_recorded", self.is_recorded)
        self.raised.append(alert)
        return alert


class _Conversations(Conversations):
    """One conversation, with one value; the store may be away."""

    is_away = False

    async def open(self, identity: ConversationId) -> Conversation:
        if _Conversations.is_away:
            raise Unavailable("database", "It is away.")
        conversation = Conversation(self, identity)
        conversation.stand_ins = StandIns([KNOWN])
        return conversation


class _Audit:
    def __init__(self) -> None:
        self.acts: list[Act] = []

    async def begin(self, act: Act) -> str:
        raise NotImplementedError

    async def record(self, act: Act, *_given: Any, **_members: Any) -> None:
        self.acts.append(act)


class _World:
    """A guardrail with what it needs, and what came of it."""

    def __init__(self, folder: Path) -> None:
        (folder / "policy.toml").write_text(POLICY)
        options = DetectionSettings(entities=frozenset({"EMAIL_ADDRESS"}), max_text_chars=1_000)
        policies = PolicyFile(folder / "policy.toml", read_vocabulary())
        self.alerts, self.audit = _Alerts(), _Audit()
        log = DecisionLog(folder / "decisions", 7, lambda *_: None)
        decisions = DecisionAudit(log, DecisionPublisher(RateCounter(log)), lambda text, _: f"{len(text):016x}", "d1")
        unused: Any = None
        pseudonymizer = Pseudonymizer(lambda text, _: f"{len(text):016x}", unused)
        scanner = Scanner.from_settings(options)
        screener = Screener(scanner, policies, self.alerts, decisions, pseudonymizer, secrets=frozenset())
        detokenizer = Detokenizer(screener, unused, policies, self.alerts)
        reveals = TextReveals(detokenizer, _Conversations(unused, unused, unused), unused)
        self.service = GuardrailService.build(screener, self.alerts, reveals, self.audit)

    async def ask(self, input_type: str, **members: Any) -> GuardrailReply:
        request = GuardrailRequest.model_validate({"input_type": input_type, "litellm_call_id": "call-1", **members})
        return await self.service.apply(request, SENDER)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _World:
    """A guardrail whose store answers."""
    monkeypatch.setattr(_Conversations, "is_away", False)
    return _World(tmp_path)


async def test_values_come_back_under_one_alert_for_a_call(world: _World) -> None:
    """However often a stream asks about the same answer; the audit has it too."""
    for _ in range(3):
        reply = await world.ask("response", texts=["I wrote to <EMAIL_ADDRESS_1>."])
        assert [f"I wrote to {MAIL}."] == reply.texts
    assert ["1 values are given back"] == [one.description[:23] for one in world.alerts.raised]
    assert [Act.VALUE_REVEALED] == world.audit.acts
    await world.ask("response", texts=["<EMAIL_ADDRESS_1>"], litellm_call_id="call-2")
    assert 2 == len(world.alerts.raised)


async def test_nothing_comes_back_where_the_alert_is_not_recorded(world: _World) -> None:
    """The stand-ins stay."""
    world.alerts.is_recorded = False
    reply = await world.ask("response", texts=["I wrote to <EMAIL_ADDRESS_1>."])
    assert ("NONE", None) == (reply.action, reply.texts)
    assert [] == world.audit.acts


async def test_requests_get_no_values_back(world: _World) -> None:
    """Only what comes from the model does."""
    reply = await world.ask("request", texts=["I wrote to <EMAIL_ADDRESS_1>."])
    assert ("NONE", None, []) == (reply.action, reply.texts, world.alerts.raised)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"texts": ["x" * 1_001]}, "characters"),
        ({"texts": ["a"], "images": ["https://example.org/a.png"]}, "Images, sounds and files cannot be screened"),
    ],
)
async def test_what_cannot_be_scanned_is_blocked(world: _World, members: dict[str, Any], reason: str) -> None:
    """An error would let it pass where a gateway fails open."""
    reply = await world.ask("request", **members)
    assert "BLOCKED" == reply.action
    assert reply.blocked_reason is not None
    assert reason in reply.blocked_reason


async def test_without_the_store_calls_are_blocked(world: _World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in that is not kept could not come back, and might be given to two values."""
    monkeypatch.setattr(_Conversations, "is_away", True)
    reply = await world.ask("request", texts=[f"write to {MAIL}"])
    assert ("BLOCKED", None) == (reply.action, reply.texts)

"""Screens what goes to a language model and what comes from it, as the policy says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from vestibule.alerts import AlertEngine, AlertType, current_origin
from vestibule.client_service.compat.litellm.payload import (
    GuardrailAction,
    GuardrailReply,
    GuardrailRequest,
    count_media,
    texts_of,
    tools_with,
)
from vestibule.client_service.compat.reported_once import ReportedOnce
from vestibule.client_service.conversations.revealing import TextReveals
from vestibule.client_service.conversations.store import Conversation, ConversationId
from vestibule.client_service.screening.screener import MOST_SCANS_WAITING, FieldText, Screener
from vestibule.contracts.audit import Act
from vestibule.contracts.errors import PersonalDataFound, ScanImpossible, TooLarge, Unavailable
from vestibule.policy import Action, Policy, Situation
from vestibule.policy.rule_index import LIST_MARK
from vestibule.policy.stand_ins import StandIns
from vestibule.service_kit.audit.acts import ActRecorder

# At the end of an answer that still comes in: more of it may become a finding.
HOLDBACK_CHARS = 128
# Calls of which an alert about values that were given back was raised: a stream asks about an answer many times.
MOST_CALLS = 10_000
# Characters times stand-ins that are looked for on the event loop; what is more, in a thread.
MOST_AT_ONCE = 2_000_000


@dataclass(frozen=True, slots=True)
class GuardrailService:
    """Answers a gateway. What cannot be scanned is blocked: a gateway may let pass what is answered by an error."""

    screener: Screener
    alerts: AlertEngine
    reveals: TextReveals
    audit: ActRecorder
    once: ReportedOnce
    revealed_calls: dict[tuple[str | None, str], None]

    @classmethod
    def build(
        cls, screener: Screener, alerts: AlertEngine, reveals: TextReveals, audit: ActRecorder
    ) -> "GuardrailService":
        """Return the service with its parts."""
        return cls(screener, alerts, reveals, audit, ReportedOnce(alerts), {})

    async def apply(self, request: GuardrailRequest, sender: Situation) -> GuardrailReply:
        """Return what the gateway does with a request or an answer; findings raise an alert.

        Raises:
            TooManyWaiting: too many long texts of the token wait to be scanned.
        """
        policy = self.screener.policies.current
        unread = count_media(request)
        if unread:
            blocks = policy.document.guardrail.images == "block"
            await self._report_images(sender.token_id or "", blocks=blocks)
            if blocks:
                return _blocked("Images, sounds and files cannot be screened.", unread)
        try:
            texts, without_fake = await self._screen(request, sender, policy)
        except PersonalDataFound as found:
            return _blocked(_reason_of(found), unread)
        except (ScanImpossible, TooLarge) as error:
            return _blocked(error.detail, unread)
        except Unavailable:
            return _blocked("What stands for the values of the conversation cannot be read or kept.", unread)
        return _reply(request, texts, unread, without_fake)

    async def _screen(
        self, request: GuardrailRequest, sender: Situation, policy: Policy
    ) -> tuple[Mapping[str, str], set[str]]:
        """Return the texts by their labels as the policy changes them, and the entities that have no fakes."""
        table = policy.document.guardrail
        reveals = request.input_type == "response" and table.reveals_to(sender.token_id, sender.token_name)
        tenant = policy.tenant_of(sender)
        conversation = await self._open(request, tenant) if policy.uses_stand_ins else None
        stand_ins = StandIns() if conversation is None else conversation.stand_ins
        # What stands for a value already is no finding, whatever it looks like.
        marks = self.reveals.marks_for(stand_ins, tenant, opens_tokens=reveals)
        given = list(texts_of(request))

        def hidden() -> list[FieldText]:
            return [one._replace(text=marks.hide(one.text)) for one in given]

        is_much = sum(len(one.text) for one in given) * (1 + len(stand_ins)) > MOST_AT_ONCE
        fields = await self.screener.in_thread(hidden, MOST_SCANS_WAITING) if is_much else hidden()
        screened = await self.screener.screen_fields(sender, fields, conversation)
        restored = {label: marks.restore(text, reveals=reveals) for label, text in screened.texts.items()}
        count = sum(number for _text, number in restored.values())
        if reveals and count and not await self._report_reveal(request, sender, count):
            restored = {label: marks.restore(text, reveals=False) for label, text in screened.texts.items()}
        without_fake = set() if conversation is None else conversation.stand_ins.without_fake
        return {label: text for label, (text, _number) in restored.items()}, without_fake

    async def _open(self, request: GuardrailRequest, tenant: str) -> Conversation | None:
        named = request.litellm_trace_id or request.litellm_call_id
        if not named:
            return None
        return await self.reveals.conversations.open(ConversationId(tenant, request.caller, named))

    async def _report_reveal(self, request: GuardrailRequest, sender: Situation, count: int) -> bool:
        """Say, once for a call, that values are given back; return whether that is recorded."""
        call = (sender.token_id, request.litellm_call_id or "")
        if call[1] and call in self.revealed_calls:
            return True
        alert = await self.alerts.raise_alert(
            AlertType.REVEAL,
            f"{count} values are given back in the answer of a model, as the policy says (`[guardrail]`, `reveal`).",
            **current_origin(),
        )
        if alert.is_recorded:
            await self.audit.record(Act.VALUE_REVEALED, target=alert.id)
            self.revealed_calls[call] = None
            if len(self.revealed_calls) > MOST_CALLS:
                del self.revealed_calls[next(iter(self.revealed_calls))]
        return alert.is_recorded

    async def _report_images(self, token_id: str, *, blocks: bool) -> None:
        consequence = "the policy blocks them" if blocks else "they pass without being looked at"
        await self.once.report(
            token_id,
            ("images", blocks),
            f"A gateway sends images, sounds or files, which cannot be screened; {consequence}. "
            "Later requests of this token raise no alert about it.",
        )


def _reply(request: GuardrailRequest, texts: Mapping[str, str], unread: int, without_fake: set[str]) -> GuardrailReply:
    given = request.texts or []
    changed = [texts[f"{request.input_type}{LIST_MARK}{number}"] for number in range(len(given))]
    tools = tools_with(request, texts)
    is_answer = request.input_type == "response"
    reply = GuardrailReply(
        action=GuardrailAction.NONE,
        stream_holdback_chars=[min(HOLDBACK_CHARS, len(one)) for one in changed] if is_answer and changed else None,
        images_not_read=unread or None,
        without_fake=sorted(without_fake) or None,
    )
    if changed == given and tools is None:
        return reply
    return reply.model_copy(update={"action": GuardrailAction.INTERVENED, "texts": changed or None, "tools": tools})


def _blocked(reason: str, unread: int) -> GuardrailReply:
    return GuardrailReply(action=GuardrailAction.BLOCKED, blocked_reason=reason, images_not_read=unread or None)


def _reason_of(found: PersonalDataFound) -> str:
    findings = cast("list[dict[str, Any]]", found.extra["findings"])
    entities = sorted({one["entity"] for one in findings if one["action"] is Action.BLOCK})
    return f"The policy blocks {', '.join(entities)} (alert {found.extra['alert_id']})."

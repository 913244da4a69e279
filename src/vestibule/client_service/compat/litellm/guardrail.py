"""Screens what goes to a language model and what comes from it, as the policy says."""

from collections.abc import Mapping
from typing import Any, cast

from vestibule.alerts import AlertEngine
from vestibule.client_service.compat.litellm.payload import (
    GuardrailAction,
    GuardrailReply,
    GuardrailRequest,
    count_media,
    texts_of,
    tools_with,
)
from vestibule.client_service.compat.reported_once import ReportedOnce
from vestibule.client_service.screening.screener import Screener
from vestibule.contracts.errors import PersonalDataFound, ScanImpossible, TooLarge
from vestibule.policy import Action, Situation
from vestibule.policy.rule_index import LIST_MARK

# At the end of an answer that still comes in: more of it may become a finding.
HOLDBACK_CHARS = 128


class GuardrailService:
    """Answers a gateway. What cannot be scanned is blocked: a gateway may let pass what is answered by an error."""

    def __init__(self, screener: Screener, alerts: AlertEngine) -> None:
        self._screener = screener
        self._once = ReportedOnce(alerts)

    async def apply(self, request: GuardrailRequest, sender: Situation) -> GuardrailReply:
        """Return what the gateway does with a request or an answer; findings raise an alert.

        Raises:
            TooManyWaiting: too many long texts of the token wait to be scanned.
        """
        unread = count_media(request)
        if unread:
            blocks = self._screener.policies.current.document.guardrail.images == "block"
            await self._report_images(sender.token_id or "", blocks=blocks)
            if blocks:
                return _blocked("Images, sounds and files cannot be screened.", unread)
        try:
            screened = await self._screener.screen_fields(sender, list(texts_of(request)))
        except PersonalDataFound as found:
            return _blocked(_reason_of(found), unread)
        except (ScanImpossible, TooLarge) as error:
            return _blocked(error.detail, unread)
        return _reply(request, screened.texts, unread)

    async def _report_images(self, token_id: str, *, blocks: bool) -> None:
        consequence = "the policy blocks them" if blocks else "they pass without being looked at"
        await self._once.report(
            token_id,
            ("images", blocks),
            f"A gateway sends images, sounds or files, which cannot be screened; {consequence}. "
            "Later requests of this token raise no alert about it.",
        )


def _reply(request: GuardrailRequest, texts: Mapping[str, str], unread: int) -> GuardrailReply:
    given = request.texts or []
    changed = [texts[f"{request.input_type}{LIST_MARK}{number}"] for number in range(len(given))]
    tools = tools_with(request, texts)
    is_answer = request.input_type == "response"
    reply = GuardrailReply(
        action=GuardrailAction.NONE,
        stream_holdback_chars=[min(HOLDBACK_CHARS, len(one)) for one in changed] if is_answer and changed else None,
        images_not_read=unread or None,
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

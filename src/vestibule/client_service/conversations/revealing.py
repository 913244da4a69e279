"""Gives values back in texts: for the stand-ins of a conversation, and for tokens of the tenant."""

from collections.abc import Sequence
from dataclasses import dataclass

from vestibule.alerts import Alert
from vestibule.client_service.conversations.marks import Marks
from vestibule.client_service.conversations.store import ConversationId, Conversations
from vestibule.client_service.screening.detokenization import Detokenizer
from vestibule.encryption import TokenKeyRetired, UnrecognizedToken
from vestibule.policy.stand_ins import StandIns
from vestibule.processor_adapters import Tokens


@dataclass(frozen=True, slots=True)
class TextReveals:
    """Reveals in texts. Who asks needs a reason, and one alert is raised for all texts together."""

    detokenizer: Detokenizer
    conversations: Conversations
    tokens: Tokens

    async def reveal(self, texts: Sequence[str], identity: ConversationId, reason: str) -> tuple[list[str], int, Alert]:
        """Return the texts with the values back, how many those are, and the alert.

        A stand-in or token that stands for nothing here stays as it is; without an id only tokens are looked for.

        Raises:
            PersonalDataFound: the reason, which is stored, contains personal data.
            Unavailable: the alert cannot be recorded, so nothing is revealed; or the database service does not answer.
        """

        async def look_up() -> tuple[tuple[list[str], int], str]:
            stand_ins = (await self.conversations.open(identity)).stand_ins if identity.id else StandIns()
            revealed = self.reveal_with(stand_ins, texts, identity.tenant)
            return revealed, f"{revealed[1]} values in {len(texts)} texts"

        (revealed, count), alert = await self.detokenizer.reveal_found(look_up, reason)
        return revealed, count, alert

    def reveal_with(self, stand_ins: StandIns, texts: Sequence[str], tenant: str) -> tuple[list[str], int]:
        """Return texts with the values back, and how many those are."""
        marks = self.marks_for(stand_ins, tenant, opens_tokens=True)
        restored = [marks.restore(marks.hide(text), reveals=True) for text in texts]
        return [text for text, _count in restored], sum(count for _text, count in restored)

    def marks_for(self, stand_ins: StandIns, tenant: str, *, opens_tokens: bool) -> Marks:
        """Return the marks for texts of a tenant."""

        def open_token(token: str) -> str | None:
            try:
                return self.tokens.reveal(token, tenant)
            except (UnrecognizedToken, TokenKeyRetired):
                return None

        return Marks(stand_ins, open_token if opens_tokens else None)

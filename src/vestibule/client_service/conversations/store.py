"""Keeps the stand-ins of conversations. Who does not have the id of one can neither find it nor open it."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import structlog
from pydantic import BaseModel, ValidationError

from vestibule.client_service.intake.work import keyed_names
from vestibule.contracts.entries import Condition, Entry, Pair
from vestibule.contracts.errors import PreconditionFailed, Unavailable
from vestibule.contracts.identity import Principal
from vestibule.database_client.entries import EntryClient
from vestibule.encryption import Cipher, DecryptionFailed, Fingerprinter, KeyRingSource
from vestibule.policy.stand_ins import Change, StandIn, StandIns

OWNER = Principal("~conversations")
# Since the last new stand-in.
TTL_S = 86_400.0
# Requests of one conversation that keep new stand-ins at the same time: each but one does it again.
ATTEMPTS = 20


class ConversationId(NamedTuple):
    """A conversation of a tenant, and of a caller of its gateway, where one is named."""

    tenant: str
    caller: str
    id: str


class ConversationRecord(BaseModel):
    """The stand-ins as they are stored.

    The fingerprints of the values are those of alerts: by them an erasure finds a value without opening anything.
    """

    tenant: str
    sealed: str
    fingerprints: list[str]


@dataclass(frozen=True, slots=True)
class Conversations:
    """The conversations of all tenants."""

    database: EntryClient
    ring: KeyRingSource
    fingerprinter: Fingerprinter

    async def open(self, identity: ConversationId) -> "Conversation":
        """Return a conversation with the stand-ins that are kept.

        Raises:
            Unavailable: the database service does not answer.
        """
        conversation = Conversation(self, identity)
        await conversation.load()
        return conversation

    def seal(self, identity: ConversationId, stand_ins: StandIns) -> str:
        """Return the record of stand-ins."""
        content = json.dumps(list(stand_ins), ensure_ascii=False).encode("utf-8", "surrogatepass")
        sealed = base64.b64encode(self._cipher(identity).encrypt(content)).decode()
        found = {self.fingerprinter.fingerprint(one.value, identity.tenant): None for one in stand_ins}
        return ConversationRecord(tenant=identity.tenant, sealed=sealed, fingerprints=list(found)).model_dump_json()

    def unseal(self, identity: ConversationId, record: str) -> StandIns:
        """Return the stand-ins of a record; none where its key was retired within the day."""
        try:
            sealed = ConversationRecord.model_validate_json(record).sealed
            content = self._cipher(identity).decrypt(base64.b64decode(sealed))
        except (ValidationError, ValueError, DecryptionFailed):
            structlog.get_logger("vestibule.conversations").warning("conversation_unreadable")
            return StandIns()
        return StandIns(StandIn(*one) for one in json.loads(content.decode("utf-8", "surrogatepass")))

    def names_of(self, identity: ConversationId) -> list[str]:
        """Return the names under which a conversation may be stored, the newest first."""
        return keyed_names(self.fingerprinter, "conversation", *identity, since_s=TTL_S)

    def _cipher(self, identity: ConversationId) -> Cipher:
        # The key is derived from the id, so that the keys of the ring alone open nothing.
        return Cipher(self.ring, f"conversation/{hashlib.sha256(json.dumps(identity).encode()).hexdigest()}")


class Conversation:
    """One conversation, as a request sees it."""

    def __init__(self, conversations: Conversations, identity: ConversationId) -> None:
        self._conversations = conversations
        self._identity = identity
        self._name = ""
        self._version = 0
        self.stand_ins = StandIns()

    async def load(self) -> None:
        """Read what is kept."""
        names = self._conversations.names_of(self._identity)
        found: list[Entry | None] = await self._conversations.database.read_many(names)
        entry = next((one for one in found if one is not None), None)
        self._name, self._version = (names[0], 0) if entry is None else (entry.key, entry.version)
        self.stand_ins = StandIns() if entry is None else self._conversations.unseal(self._identity, entry.value)

    async def apply(self, change: Change) -> Mapping[str, str]:
        """Return what `change` makes of texts, once the new stand-ins are kept.

        Raises:
            Unavailable: the database service does not answer, or too many requests of the conversation come at once.
        """
        for _ in range(ATTEMPTS):
            changed = await change(self.stand_ins)
            if not self.stand_ins.is_changed:
                return changed
            value = self._conversations.seal(self._identity, self.stand_ins)
            try:
                pair = Pair(key=self._name, value=value, ttl_s=TTL_S)
                written = await self._conversations.database.write(pair, Condition.of_version(self._version))
            except PreconditionFailed:
                await self.load()
                continue
            self._version, self.stand_ins.is_changed = written.version, False
            return changed
        raise Unavailable("database", "Too many requests of the same conversation come at once.")

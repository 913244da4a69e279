"""The tokens of callers over a register, which holds them encrypted; and their maintenance when keys rotate."""

import base64
from collections import Counter
from collections.abc import Sequence

import structlog
from pydantic import ValidationError

from vestibule.contracts.entries import ReencryptionPage
from vestibule.contracts.tokens import KeptToken, StoredToken, TokenChanges, TokenPage, TokenReplacement
from vestibule.database_service.entries.encrypted_store import decode_ciphertext
from vestibule.database_service.tokens.register import TokenRegister, TokenRow
from vestibule.encryption import Cipher, DecryptionFailed, key_id_of

REALM = "tokens"


class EncryptedTokenRegister:
    """Tokens by id and the changes of them. A record that cannot be decrypted is logged, and its token is unknown."""

    def __init__(self, register: TokenRegister, cipher: Cipher) -> None:
        self._register = register
        self._cipher = cipher
        # These carry ids, times and counts.
        self.note_uses, self.find_uses = register.note_uses, register.find_uses

    async def page(self, limit: int, after: str | None) -> TokenPage:
        """Return some of the tokens, and the position from before they were read."""
        position = await self._register.position()
        rows = await self._register.page(limit, after)
        cursor = rows[-1].id if len(rows) == limit else None
        return TokenPage(position=position, tokens=self._decrypt_all(rows), cursor=cursor)

    async def changes(self, position: str, limit: int) -> TokenChanges:
        """Return what has changed after a position."""
        changed = await self._register.changes(position, limit)
        if changed is None:
            return TokenChanges(position=position, is_reset=True)
        tokens = self._decrypt_all(changed.rows)
        unreadable = {row.id for row in changed.rows} - {kept.token.id for kept in tokens}
        revoked = [*changed.gone, *sorted(unreadable)]
        return TokenChanges(position=changed.position, tokens=tokens, revoked=revoked, has_more=changed.has_more)

    async def replace(self, replacement: TokenReplacement) -> bool:
        """Write or remove a token if its last change is the expected one; say whether. It is on disk then."""
        token = replacement.token
        record = None if token is None else self._encrypt(replacement.id, token.model_dump_json(exclude_none=True))
        return await self._register.replace(replacement.id, record, replacement.expected)

    async def check(self, limit: int, after: str | None) -> ReencryptionPage:
        """Decrypt a page of tokens and count them by encryption key."""
        rows = await self._register.page(limit, after)
        by_key: Counter[str] = Counter()
        reasons: list[str] = []
        for row in rows:
            try:
                self._decrypt(row)
                by_key[key_id_of(decode_ciphertext(row.record))] += 1
            except DecryptionFailed as error:
                reasons.append(str(error))
        return ReencryptionPage(entries=len(rows), by_key=dict(by_key), not_opened=reasons, cursor=_next(rows, limit))

    async def reencrypt(self, limit: int, after: str | None) -> ReencryptionPage:
        """Re-encrypt the tokens of a page that use an older key with the active one."""
        rows = await self._register.page(limit, after)
        reasons: list[str] = []
        reencrypted = 0
        for row in rows:
            try:
                if not self._cipher.is_current(decode_ciphertext(row.record)):
                    record = self._encrypt(row.id, self._decrypt(row))
                    reencrypted += await self._register.reencrypt(row, record)
            except DecryptionFailed as error:
                reasons.append(str(error))
        cursor = _next(rows, limit)
        return ReencryptionPage(entries=len(rows), reencrypted=reencrypted, not_opened=reasons, cursor=cursor)

    def _decrypt_all(self, rows: Sequence[TokenRow]) -> list[KeptToken]:
        found: list[KeptToken] = []
        for row in rows:
            try:
                token = StoredToken.model_validate_json(self._decrypt(row))
            except (DecryptionFailed, ValidationError) as error:
                is_foreign = isinstance(error, ValidationError)
                reason = "its record is of another version" if is_foreign else str(error)
                structlog.get_logger("vestibule.tokens").error("token_not_decrypted", token=row.id, reason=reason)
            else:
                found.append(KeptToken(change=row.change, token=token))
        return found

    def _encrypt(self, token_id: str, text: str) -> str:
        return base64.b64encode(self._cipher.encrypt(text.encode(), _place(token_id))).decode("ascii")

    def _decrypt(self, row: TokenRow) -> str:
        return self._cipher.decrypt(decode_ciphertext(row.record), _place(row.id)).decode()


def _next(rows: Sequence[TokenRow], limit: int) -> str | None:
    return rows[-1].id if len(rows) == limit else None


def _place(token_id: str) -> bytes:
    return f"token {token_id}".encode()

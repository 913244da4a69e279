"""Pseudonyms of values: keyed fingerprints, and tokens that the key ring reveals.

The same value has the same fingerprint and the same token within a tenant. Neither can be computed without the key, and
those of two tenants have nothing in common.
Source: RFC 2104 (HMAC; section 5: half of the output may be left out), RFC 5869 (HKDF), RFC 5297 (AES-SIV,
deterministic authenticated encryption), RFC 4648 (base32).
"""

import base64
import hashlib
import re
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from html import unescape
from urllib.parse import unquote

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vestibule.contracts.identity import DEFAULT_TENANT
from vestibule.encryption.key_ring import Key, KeyRingSource, Purpose, TokenKeyRetired, UnrecognizedToken

_UNKNOWN = "The text is not a token of this tenant."
EPOCH_S = 30 * 86_400
SHOWN_BYTES = 16
KEYS_KEPT = 1024
_SEPARATORS = re.compile(r"[\s\-./()]+")
_JSON_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})")
# As the scanner: a shorter token is rather a word.
_BASE64 = re.compile(r"(?=[^=]*[A-Za-z])[A-Za-z0-9+/_-]{22,}={0,2}")
_URL_SAFE = str.maketrans("-_", "+/")
_MAX_LAYERS = 8
ENTITY = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
# No colon after the entity: `<API_KEY:...>` would be found as an assignment of a key.
TOKEN = re.compile(r"<(?P<entity>[A-Z][A-Z0-9_]{0,63})\.v1\.(?P<key_id>[0-9a-f]{8})\.(?P<sealed>[A-Z2-7]+)>")


class Fingerprinter:
    """Makes fingerprints with the ring's fingerprint key, another derived key for each tenant and epoch of 30 days.

    A fingerprint names its epoch, as in `e688:1f6d...`; those of different epochs cannot be matched without the key.
    """

    def __init__(self, ring: KeyRingSource, clock: Callable[[], float] = time.time) -> None:
        self._ring = ring
        self._clock = clock
        self._keyed = lru_cache(KEYS_KEPT)(_keyed)

    def fingerprint(self, text: str, tenant: str) -> str:
        """Return the fingerprint that `text` has now in a tenant, in every process that has the same ring."""
        secret = self._ring.current().active(Purpose.FINGERPRINT).material
        return self._of(text, secret, _epoch(self._clock()), tenant)

    def candidates(self, text: str, tenant: str, since: datetime) -> Iterator[str]:
        """Yield every fingerprint that `text` may have had since then in data of a tenant, the newest first.

        All tenants had the fingerprints of the default tenant in versions before tenants had their own.
        """
        for key in self._ring.reload().usable(Purpose.FINGERPRINT):
            for epoch in range(_epoch(self._clock()), _epoch(since.timestamp()) - 1, -1):
                for owner in dict.fromkeys((tenant, DEFAULT_TENANT)):
                    yield self._of(text, key.material, epoch, owner)

    def fingerprints_of(self, text: str, tenant: str, epochs: Iterable[int]) -> Iterator[str]:
        """Yield the fingerprints that `text` has in a tenant in these epochs, under every key that is not retired."""
        keys = self._ring.current().usable(Purpose.FINGERPRINT)
        for epoch in epochs:
            for key in keys:
                yield self._of(text, key.material, epoch, tenant)

    def _of(self, text: str, secret: bytes, epoch: int, tenant: str) -> str:
        digest = self._keyed(secret, epoch, tenant).copy()
        digest.update(canonical(text).encode("utf-8", "surrogatepass"))
        return f"e{epoch}:{digest.finalize()[:SHOWN_BYTES].hex()}"


def epoch_of(fingerprint: str) -> int:
    """Return the number of the epoch that a fingerprint names. Raises `ValueError` where it names none."""
    return int(fingerprint.partition(":")[0].removeprefix("e"))


def key_digest(fingerprinter: Fingerprinter, key: str, tenant: str) -> str:
    """Return the keyed digest of the key of an entry; it stands where the key itself would reveal what it names."""
    return fingerprinter.fingerprint(_name_of(key), tenant)


def key_digests(fingerprinter: Fingerprinter, key: str, tenant: str, since: datetime) -> list[str]:
    """Return every digest that a key may have had since then, the newest first."""
    return list(dict.fromkeys(fingerprinter.candidates(_name_of(key), tenant, since)))


def _name_of(key: str) -> str:
    # Hashed first, because fingerprints ignore case and separators. With the sign it is not decoded as Base64.
    return f"{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}@"


def canonical(text: str) -> str:
    """Return the canonical form of a value, which is the same for all its writings: 4111 1111 and 4111-1111 are a card.

    In an e-mail address dots and dashes are significant, so only the case is folded.
    """
    folded = decode(text).casefold()
    return folded if "@" in folded else _SEPARATORS.sub("", folded)


def decode(text: str) -> str:
    """Return a value as it was before it was encoded: %40, \\u0040, &#64; and base64 of the whole, in any order.

    Unicode forms become one (NFKC), so that composed and decomposed letters are the same.
    """
    for _ in range(_MAX_LAYERS):
        inner = text
        if "%" in inner:
            inner = unquote(inner, errors="surrogateescape")
        if "\\u" in inner:
            escaped = _JSON_ESCAPE.sub(lambda found: chr(int(found[1], 16)), inner)
            # Two escapes may be the surrogates of one character.
            inner = escaped.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if "&" in inner:
            inner = unescape(inner)
        if not inner.isascii():
            inner = unicodedata.normalize("NFKC", inner)
        if _BASE64.fullmatch(inner):
            inner = _text_in_base64(inner) or inner
        if inner == text:
            break
        text = inner
    return text


def _text_in_base64(token: str) -> str | None:
    bare = token.rstrip("=").translate(_URL_SAFE)
    try:
        content = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True).decode()
    except ValueError:
        return None
    return content if content.isprintable() else None


def _epoch(unix_time: float) -> int:
    return int(unix_time // EPOCH_S)


def _keyed(secret: bytes, epoch: int, tenant: str) -> HMAC:
    info = b"vestibule/fingerprint/1/epoch %d" % epoch
    if tenant != DEFAULT_TENANT:
        # A stroke ends the number of the epoch, so no two pairs of epoch and tenant have the same key.
        info += b"/tenant " + tenant.encode()
    return HMAC(HKDF(hashes.SHA256(), length=32, salt=None, info=info).derive(secret), hashes.SHA256())


class Tokenizer:
    """Makes tokens such as `<EMAIL_ADDRESS.v1.5f3a9c21.K7YQ...>` and reveals them.

    A token names its entity and its key. Its length reveals that of the value, in steps of five bits.
    """

    def __init__(self, ring: KeyRingSource) -> None:
        self._ring = ring
        self._cipher = lru_cache(64)(_cipher)

    def tokenize(self, value: str, entity: str, tenant: str) -> str:
        """Return the token of `value`; it is the same each time, until the token key is rotated.

        Raises:
            ValueError: `entity` is not the name of an entity.
        """
        return self._token(value, entity, tenant, self._ring.current().active(Purpose.TOKEN))

    def candidates(self, value: str, entity: str, tenant: str) -> Iterator[str]:
        """Yield the tokens of `value` under every key that is not retired."""
        for key in self._ring.reload().usable(Purpose.TOKEN):
            yield self._token(value, entity, tenant, key)

    def reveal(self, token: str, tenant: str) -> str:
        """Return the value that a token stands for.

        Raises:
            UnrecognizedToken: it is not a token of this tenant, or was changed.
            TokenKeyRetired: its key was retired.
        """
        parts = TOKEN.fullmatch(token)
        if parts is None:
            raise UnrecognizedToken("The text is not a token.")
        secret = self._secret(parts["key_id"])
        try:
            encrypted = _decode(parts["sealed"])
            opened = self._cipher(secret).decrypt(encrypted, _associated(parts["entity"], tenant))
        except (InvalidTag, ValueError):
            raise UnrecognizedToken(_UNKNOWN) from None
        return opened.decode("utf-8", "surrogatepass")

    def is_rotated(self, token: str) -> bool:
        """Whether `token` was made with an older key than the active one."""
        parts = TOKEN.fullmatch(token)
        return parts is not None and parts["key_id"] != self._ring.current().active(Purpose.TOKEN).id

    def _token(self, value: str, entity: str, tenant: str, key: Key) -> str:
        if not ENTITY.fullmatch(entity):
            raise ValueError("an entity name has capitals, digits and underscores")
        content = value.encode("utf-8", "surrogatepass")
        encrypted = self._cipher(key.material).encrypt(content, _associated(entity, tenant))
        return f"<{entity}.v1.{key.id}.{base64.b32encode(encrypted).decode().rstrip('=')}>"

    def _secret(self, key_id: str) -> bytes:
        key = self._ring.current().find(Purpose.TOKEN, key_id) or self._ring.reload().find(Purpose.TOKEN, key_id)
        if key is None:
            raise UnrecognizedToken(_UNKNOWN)
        if key.secret is None:
            raise TokenKeyRetired("The key of this token was retired; its value can no longer be revealed.")
        return key.secret


def _cipher(secret: bytes) -> AESSIV:
    info = b"vestibule/token/1"
    return AESSIV(HKDF(hashes.SHA256(), length=64, salt=None, info=info).derive(secret))


def _associated(entity: str, tenant: str) -> list[bytes]:
    return [entity.encode(), tenant.encode("utf-8", "surrogatepass")]


def _decode(text: str) -> bytes:
    decoded = base64.b32decode(text + "=" * (-len(text) % 8))
    # Otherwise unused bits at the end could differ: several tokens for one value.
    if base64.b32encode(decoded).decode().rstrip("=") != text:
        raise ValueError("not the canonical form")
    return decoded

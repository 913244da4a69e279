"""Searches texts for the value of a data subject."""

import asyncio
import base64
import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from vestibule.contracts.subjects import MIN_SUBJECT_CHARS, FindForm
from vestibule.detection import Finding, Scanner
from vestibule.detection.options import DEFAULTS, ScannerOptions
from vestibule.encryption import Fingerprinter, KeyRingFile, Tokenizer, TokenKeyRetired, UnrecognizedToken
from vestibule.encryption.key_ring import Purpose
from vestibule.encryption.pseudonyms import ENTITY, canonical, decode
from vestibule.subject_search.pattern import (
    SPREAD_DIGITS,
    address_of,
    fold,
    is_number,
    length_of,
    letters_of,
    pattern_of,
    phone_of,
    writings_of,
)

# The most characters that are searched on the event loop; longer texts are searched in a thread.
AT_ONCE_CHARS = 20_000
# A stored text was scanned within its budget at the door; a search only must not run without end.
BUDGET_MS = 60_000.0
PHONE = "PHONE_NUMBER"
# The scanner decodes base64 from 24 characters on; shorter ones are compared as a whole.
SHORT_BYTES = 18
_TOKEN = re.compile(rf"<({ENTITY.pattern})\.v1\.([0-9a-f]{{8}})\.([A-Z2-7]+)>", re.IGNORECASE)
_FINGERPRINT = re.compile(r"(?<![^\W_])e\d{1,6}:[0-9a-f]{32}(?![^\W_])")
_AROUND_ADDRESS = "<>()[]\"',;: "
_BASE64_TOKEN = re.compile(r"[A-Za-z0-9+/_-]{6,}")


class Match(NamedTuple):
    """How a value stands in a text: its form, the encodings around it, and whether the text holds more than it."""

    form: FindForm
    encoding: str | None
    is_part: bool


class SubjectSearcher:
    """Makes searches. The scanners are built at the first one, since most processes never make any."""

    def __init__(self, ring: KeyRingFile, options: ScannerOptions = DEFAULTS) -> None:
        self._ring = ring
        self._options = options
        self.tokenizer = Tokenizer(ring)

    @cached_property
    def scanner(self) -> Scanner:
        """The scanner of the door, but for what an operator allows: allowed values are erased too."""
        nothing: frozenset[str] = frozenset()
        chosen: dict[str, Any] = {
            "entities": None,
            "ignored_entities": nothing,
            "allowed_values": nothing,
            "allowed_patterns": (),
            "allowed_fingerprints": nothing,
            "scan_budget_ms": BUDGET_MS,
        }
        options = self._options
        changed = options._replace(**chosen) if isinstance(options, tuple) else options.model_copy(update=chosen)
        return Scanner.from_settings(changed)

    @cached_property
    def decoder(self) -> Scanner:
        """Decodes texts, and finds nothing in them."""
        return Scanner([], DEFAULTS._replace(scan_budget_ms=BUDGET_MS))

    def subject_of(self, value: str) -> tuple[str, str]:
        """Return the value that is meant, decoded and without what surrounds it, and its folded form."""
        decoded = decode(value).strip()
        if "@" in decoded:
            decoded = decoded.strip(_AROUND_ADDRESS) or decoded
        return decoded, fold(next(self.decoder.layers(decoded)))

    def is_long_enough(self, value: str) -> bool:
        """Return whether there is enough to search for: a blank value would be in every text."""
        return length_of(self.subject_of(value)[1]) >= MIN_SUBJECT_CHARS

    def search_for(self, value: str, tenants: Collection[str]) -> "SubjectSearch":
        """Return the search for a value, whose tokens may be of any of `tenants`."""
        return SubjectSearch(value, sorted(tenants), self)

    def fingerprints_of(self, value: str, tenants: Sequence[str]) -> frozenset[str]:
        """Return every fingerprint that the value may have had in data of `tenants` since there is a key."""
        since = min(key.created_at for key in self._ring.reload().usable(Purpose.FINGERPRINT))
        candidates, written = Fingerprinter(self._ring).candidates, (value, *writings_of(value))
        return frozenset(one for tenant in tenants for text in written for one in candidates(text, tenant, since))


class SubjectSearch:
    """Finds a value in texts in any writing: encoded, with other separators, in other case, as token or fingerprint.

    Every text is decoded, which costs microseconds, and is scanned only if the letters and digits of the value are in
    it. A match is what the scanner finds to be the same value, or the value as a whole outside of a longer finding.
    """

    def __init__(self, value: str, tenants: Sequence[str], searcher: SubjectSearcher) -> None:
        self._tenants = tenants
        self._searcher = searcher
        decoded, self._form = searcher.subject_of(value)
        self._canonical = canonical(decoded)
        self._pattern = pattern_of(self._form)
        self._is_number = is_number(self._form)
        whole = (0, len(decoded))
        self._letters = letters_of(self._form)
        self._entities = {one.entity for one in searcher.scanner.spans(decoded) if (one.start, one.end) == whole}
        # The scanner takes more separators than `canonical` leaves out.
        self._digits_of = phone_of if PHONE in self._entities else letters_of
        self._digits = self._digits_of(self._form) if self._is_number else ""
        if self._digits and PHONE in self._entities:
            self._letters = self._digits[-SPREAD_DIGITS:]
        self._fingerprints = searcher.fingerprints_of(decoded, tenants)
        self._short_base64 = frozenset(_short_base64_of(decoded))
        local, _, domain = self._form.rpartition("@")
        # What a written-out address holds, whatever stands between.
        self._parts = [letters_of(part) for part in (local, *domain.split("."))] if local else []

    def finds_in(self, text: str) -> bool:
        """Return whether `text` contains the value.

        Raises:
            DetectionError: what is encoded in the text is too large, or has too many layers.
        """
        return self.match_in(text) is not None

    async def finds_among(self, *texts: str | None) -> bool:
        """Return whether one of several texts contains the value, without blocking the event loop; raises as above."""
        return any(await self.matches_among(*texts))

    def match_in(self, text: str) -> Match | None:
        """Return how the value stands in `text`; None if it does not. Raises as `finds_in` does."""
        for layer, path in self._searcher.decoder.named_layers(text):
            if (found := self._match_in_layer(layer)) is not None:
                form, is_part = found
                kinds = (
                    path if path or form is not FindForm.PLAIN or self._stands_in(text, fold(text)) else ("escapes",)
                )
                is_encoded = bool(kinds) and form in (FindForm.PLAIN, FindForm.ENCODED)
                form = FindForm.ENCODED if is_encoded else form
                return Match(form, "/".join(kinds) or ("base64" if form is FindForm.ENCODED else None), is_part)
        return None

    async def matches_among(self, *texts: str | None) -> list[Match | None]:
        """Return how the value stands in each of several texts, without blocking the event loop; raises as above."""

        def search() -> list[Match | None]:
            return [None if text is None else self.match_in(text) for text in texts]

        if sum(len(text) for text in texts if text is not None) <= AT_ONCE_CHARS:
            return search()
        return await asyncio.to_thread(search)

    def _match_in_layer(self, layer: str) -> tuple[FindForm, bool] | None:
        """Return the form of the value in a layer, and whether there is more in it."""
        folded = fold(layer)
        letters = letters_of(folded)
        if self._may_stand_in(letters) and self._stands_in(layer, folded):
            return FindForm.PLAIN, letters != self._letters
        if any(found[0] in self._fingerprints for found in _FINGERPRINT.finditer(folded)):
            return FindForm.FINGERPRINT, _FINGERPRINT.fullmatch(folded.strip()) is None
        if self._short_base64 and not self._short_base64.isdisjoint(_BASE64_TOKEN.findall(layer)):
            return FindForm.ENCODED, _BASE64_TOKEN.fullmatch(layer.strip()) is None
        if ".v1." in folded:
            for revealed in self._opened_tokens(layer):
                if (inner := self.match_in(revealed)) is not None:
                    return FindForm.TOKEN, inner.is_part or _TOKEN.fullmatch(layer.strip()) is None
        return None

    def _may_stand_in(self, letters: str) -> bool:
        return self._letters in letters or (bool(self._parts) and all(part in letters for part in self._parts))

    def _stands_in(self, layer: str, folded: str) -> bool:
        spans = self._searcher.scanner.spans(layer)
        if any(one.entity in self._entities and self._is_same(layer[one.start : one.end]) for one in spans):
            return True
        longer = [one for one in spans if self._may_be_longer(one, layer)] if len(folded) == len(layer) else []
        return any(not _is_covered(found.span(), longer) for found in self._pattern.finditer(folded))

    def _is_same(self, found: str) -> bool:
        is_same_number = self._is_number and self._digits_of(fold(found)) == self._digits
        if is_same_number or canonical(found) == self._canonical:
            return True
        return bool(self._parts) and canonical(address_of(found)) == self._canonical

    def _may_be_longer(self, finding: Finding, layer: str) -> bool:
        """Return whether a finding around the value is another value; others, as passwords, may contain it."""
        return finding.entity in self._entities or (self._is_number and is_number(layer[finding.start : finding.end]))

    def _opened_tokens(self, layer: str) -> Iterator[str]:
        for entity, key_id, sealed in _TOKEN.findall(layer):
            # A processor may have changed the case.
            token = f"<{entity.upper()}.v1.{key_id.lower()}.{sealed.upper()}>"
            for tenant in self._tenants:
                try:
                    yield self._searcher.tokenizer.reveal(token, tenant)
                except (UnrecognizedToken, TokenKeyRetired):
                    continue


def _is_covered(span: tuple[int, int], findings: Sequence[Finding]) -> bool:
    start, end = span
    return any(one.start <= start and end <= one.end and (one.start, one.end) != span for one in findings)


def _short_base64_of(value: str) -> Iterator[str]:
    forms = {value, unicodedata.normalize("NFD", value)}
    for form in forms | {changed for one in forms for changed in (one.lower(), one.upper(), one.casefold())}:
        content = form.encode("utf-8", "surrogatepass")
        if len(content) <= SHORT_BYTES:
            yield base64.b64encode(content).decode().rstrip("=")
            yield base64.urlsafe_b64encode(content).decode().rstrip("=")

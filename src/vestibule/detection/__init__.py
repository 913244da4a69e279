"""Finds personal data and secrets in texts; independent of services, frameworks and queues.

The steps of a scan: `normalization` replaces look-alike characters by ASCII; `prefilter` selects, in one pass, the few
rules worth trying; `matching` runs them; `scoring` rates each match by its check and its `context`;
`normalization.decoding` repeats this for encoded content (URL encoding, base64, ...); `finding` resolves overlaps.

How to add a detector
---------------------
Write one file anywhere below `detectors/` that defines a `DETECTOR` (or several, `DETECTORS`); no other file changes.
`rules` documents every field. The steps:

1. `entity`: Presidio's name if it has one (`XX_NAME` for an identifier of country XX; `API_KEY`, `PASSWORD`, ... for
   secrets). Several detectors may share an entity; each keeps its own labels, rules and examples.
2. A `Rule` for each form of the value. `pattern` has no lookaround: the characters that may not come before or after it
   go into `not_after` and `not_before` (the contents of character classes; by default a letter, digit or _). Its length
   is bounded: `{1,64}`, never `+` or `*`. Dashes, spaces and digits are ASCII, thanks to normalization.
3. `check`: a function from the value as written to bool. `validation.checks` has the checksums. Import a module such as
   one of python-stdnum's inside the function, so that it costs nothing at start.
4. The scores. The threshold is 0.5. The context adds +0.45 for a label right before the value (with only "number",
   "is", ":" and the like between), +0.3 for one within 45 characters or in the name of the field, -0.35 for a label of
   something else right before it, -0.3 for a word of `against`. Hence:

   - 0.85 and more: certain, the context is not read (a prefixed key with its checksum, an e-mail address);
   - 0.5 to 0.84: found without a label, rejected after a foreign one (a card number with a valid check digit);
   - 0.2 to 0.49: needs a label nearby; 0.05 to 0.19: needs it right before the value (nine bare digits).

   `broken_score` accepts a value with a wrong check digit next to a label (0.05 to 0.2, or leave it out);
   `alone_score` is for a value that is the whole text and has a rare form or check.
5. What the prefilter searches for. A rule below 0.5: its labels, automatically. A key with a fixed part: `anchors`, of
   which every match contains one. Otherwise the pattern itself, or a cheaper `prefilter` that matches wherever the
   pattern does: write one if the pattern has back-references, named groups with alternatives inside, or counted repeats
   above about ten.
6. `labels`: lower case, several languages, whole words: `social security`, `nif`, `телефон*`. `customer_ssn` and
   `customerSsn` are read as two words each. Do not list words as general as "number" or "id" unless the rule's check
   decides alone.
7. `examples` (with `[[value]]`) and `counter_examples`: at least one of each for every rule, made up or from the
   standard, never a real person's. `DetectorExample(text, key="field_name")` sets the field. `sources`: the standard or
   the vendor's page.

Then run `pytest tests/conformance/test_detectors.py -k your_module`. `vestibule scan --explain` shows why something was
found.
"""

from typing import TYPE_CHECKING

from vestibule.detection.allow_list import fingerprint_of
from vestibule.detection.errors import DetectionError, DetectorFailed, InvalidDetector, ScanBudgetExceeded, TextTooLarge
from vestibule.detection.finding import Explanation, Finding, redact
from vestibule.detection.scanner import Scanner

if TYPE_CHECKING:
    from vestibule.detection.settings import DetectionSettings

__all__ = [
    "DetectionError",
    "DetectionSettings",
    "DetectorFailed",
    "Explanation",
    "Finding",
    "InvalidDetector",
    "ScanBudgetExceeded",
    "Scanner",
    "TextTooLarge",
    "fingerprint_of",
    "redact",
]


def __getattr__(name: str) -> object:
    """Load the settings on first use: a bare scanner needs none, and pydantic takes half of the start time."""
    if name == "DetectionSettings":
        from vestibule.detection.settings import DetectionSettings  # noqa: PLC0415

        return DetectionSettings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

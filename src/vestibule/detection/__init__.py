"""Finds personal data and secrets in texts; knows no service, no framework and no queue.

The steps of a scan, in order: `normalization` replaces look-alike characters by plain ones; `prefilter` names, in one
pass, the few rules worth trying; `matching` runs those; `scoring` rates each match by its check and its `context`;
`normalization.decoding` repeats this one level below for URL-encoded and base64 content; `resolution` decides between
overlapping findings.

How to add a detector
---------------------
Write one file anywhere below `detectors/` that names a `DETECTOR` (or several, `DETECTORS`): nothing else is touched.
`rules` documents every field. The steps:

1. `entity`: Presidio's name where it has one (`XX_NAME` for an identifier of country XX; `API_KEY`, `PASSWORD`, ...
   for secrets). Any number of detectors may share an entity; labels, rules and examples stay with their own detector.
2. A `Rule` for each way of writing. `pattern` has no lookaround; what must not stand before and after it goes into
   `not_after` and `not_before` (insides of character classes, a letter, digit or _ by default). It has a bounded
   length: `{1,64}`, never `+` or `*`. Dashes, spaces and digits are ASCII here: normalization saw to that.
3. `check`: a function from the value as written to bool. Sums are in `validation.checks`. A module such as one of
   python-stdnum's is imported inside the function, so that it costs nothing at start.
4. The scores. The threshold is 0.5. Surroundings add: +0.45 where a label stands right before the value (only
   "number", "is", ":" and the like between), +0.3 where one is within 45 characters or names the field, -0.35 where a
   label of something else stands right before it, -0.3 for a word in `against`. Hence:

   - 0.85 and more: certain, the surroundings are not even read (a prefixed key with its checksum, an e-mail address);
   - 0.5 to 0.84: stands alone, falls to a contrary label (a card number with a right check digit);
   - 0.2 to 0.49: needs a label nearby; 0.05 to 0.19: needs it right before the value (nine bare digits).

   `broken_score` lets a value with a wrong check digit pass under a label (0.05 to 0.2, else leave it out);
   `alone_score` is for a value that is the whole text and whose form or check is rare enough to say so.
5. What the prefilter looks for. A rule below 0.5: the labels, by itself. A key with a fixed part: `anchors`, any of
   which every match contains. Otherwise the pattern itself, or a cheaper `prefilter` that matches wherever the pattern
   does: write one when the pattern has back-references, named groups with alternatives inside, or counted repeats above
   about ten.
6. `labels`: lower case, several languages, whole words: `social security`, `nif`, `телефон*`. `customer_ssn` and
   `customerSsn` are read as two words each. Do not list words as general as "number" or "id" unless the rule's check
   decides by itself.
7. `examples` (with `[[value]]`) and `counter_examples`: at least one of each for every rule, made up or from the
   standard, never a real person's. `DetectorExample(text, key="field_name")` gives the field. `sources`: the standard
   or the vendor's page.

Then `pytest tests/conformance/test_detectors.py -k your_module`. To see why something was found: `vestibule scan
--explain`.
"""

from typing import TYPE_CHECKING

from vestibule.detection.allow_list import fingerprint_of
from vestibule.detection.errors import DetectionError, InvalidDetector, ScanBudgetExceeded, TextTooLarge
from vestibule.detection.finding import Explanation, Finding
from vestibule.detection.redaction import redact
from vestibule.detection.scanner import Scanner

if TYPE_CHECKING:
    from vestibule.detection.settings import DetectionSettings

__all__ = [
    "DetectionError",
    "DetectionSettings",
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
    """Load the settings when they are asked for: a bare scanner needs none, and pydantic is half of its start."""
    if name == "DetectionSettings":
        from vestibule.detection.settings import DetectionSettings  # noqa: PLC0415

        return DetectionSettings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

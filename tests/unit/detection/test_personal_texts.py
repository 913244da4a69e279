"""Personal data behind references, labels and everyday words, and in the forms that people write it in."""

import json
from pathlib import Path

import pytest

from vestibule.detection import Scanner
from vestibule.detection.rules import DetectorExample

SCANNER = Scanner.from_settings()
# What is found, by entity, with the value marked; and what looks like it.
TEXTS = json.loads(Path(__file__).with_name("personal_texts.json").read_text(encoding="utf-8")).values()
FOUND = [(entity, text) for texts in TEXTS for entity, marked in texts["found"].items() for text in marked]
CLEAN = [text for texts in TEXTS for text in texts["clean"]]


@pytest.mark.parametrize(("entity", "marked"), FOUND)
def test_is_found(entity: str, marked: str) -> None:
    """The whole value is found, and nothing else."""
    example = DetectorExample(marked)
    found = [(finding.entity, (finding.start, finding.end)) for finding in SCANNER.scan(example.text)]
    assert [(entity, span) for span in example.spans] == found


@pytest.mark.parametrize("text", CLEAN)
def test_is_clean(text: str) -> None:
    """Another number behind the same words, or in a similar form, is nobody's."""
    assert [] == SCANNER.explain(text)

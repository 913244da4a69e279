"""What an operator can decide: allow lists, own detectors, own patterns, and that none of them may take long."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from vestibule.detection import DetectionSettings, InvalidDetector, Scanner, fingerprint_of
from vestibule.detection.catalogue import list_detectors
from vestibule.detection.options import Defaults
from vestibule.detection.regex_analysis import require_linear_time

TEXT = "ada@example.com wrote to bob@example.org"
OWN_DETECTOR = """
from vestibule.detection.rules import Detector, Rule
DETECTOR = Detector(entity="STAFF_NUMBER", rules=(Rule(name="n", pattern=r"ST-[0-9]{5}", score=0.9),),
                    examples=("[[ST-12345]]",), counter_examples=("ST-1",), sources=("the handbook",))
"""


def _found(text: str, **given: object) -> list[str]:
    own = ["STAFF_NUMBER"] if given.keys() & {"patterns", "detectors_dir"} else []
    chosen = DetectionSettings.model_validate({"cache_dir": None, "entities": ["EMAIL_ADDRESS", *own], **given})
    return [text[f.start : f.end] for f in Scanner.from_settings(chosen).scan(text)]


def test_allowed_patterns_are_whole_values() -> None:
    """A pattern lets through the values that it describes from end to end."""
    assert ["bob@example.org"] == _found(TEXT, allowed_patterns=[r"[a-z]{1,20}@example\.com"])
    assert ["ada@example.com", "bob@example.org"] == _found(TEXT, allowed_patterns=["example"])


def test_allowed_fingerprints_hold_no_value() -> None:
    """A value is let through by its keyed fingerprint, and by no other key's."""
    fingerprint = fingerprint_of("ada@example.com", "k")
    assert ["bob@example.org"] == _found(TEXT, allowed_fingerprints=[fingerprint], fingerprint_key="k")
    assert 2 == len(_found(TEXT, allowed_fingerprints=[fingerprint], fingerprint_key="other"))


def test_own_patterns_are_found() -> None:
    """An expression of the settings makes findings of its entity."""
    own = {"STAFF_NUMBER": {"expression": "ST-[0-9]{5}"}}
    assert ["ST-12345"] == _found("staff ST-12345", patterns=own)


@pytest.mark.parametrize(
    "pattern", ["(a+)+b", "a*", r"(\d{1,9}){1,9}", r"(a)\1", "(?=a)a", "(", "a{1,100}a{1,100}a{1,100}b", ".{1,5000}"]
)
def test_slow_patterns_are_refused(pattern: str) -> None:
    """What may take more than linear time, or is no expression, is refused while the settings are read."""
    with pytest.raises(InvalidDetector):
        require_linear_time(pattern)
    with pytest.raises(ValidationError):
        DetectionSettings.model_validate({"patterns": {"X": {"expression": pattern}}})


@pytest.mark.parametrize("given", [{"entities": ["EMAL"]}, {"ignored_entities": ["EMAL"]}, {"thresholds": {"EMAL": 1}}])
def test_an_entity_that_does_not_exist_is_refused(given: dict[str, object]) -> None:
    """A misspelt name would switch detection off, or leave on what should be off, in silence."""
    with pytest.raises(InvalidDetector, match=r"unknown entity EMAL; did you mean EMAIL_ADDRESS\?"):
        _found(TEXT, **given)


@pytest.mark.parametrize("pattern", ["ST-[0-9]{5}", r"[A-Z]{2}\d{6,8}", "(?:cust|order)_[a-z0-9]{1,32}"])
def test_plain_patterns_are_taken(pattern: str) -> None:
    """Bounded expressions without choices inside repeats are taken."""
    assert pattern == require_linear_time(pattern).pattern


def test_own_detectors_come_from_a_folder(tmp_path: Path) -> None:
    """A file in the folder is a detector; one that cannot be imported names itself."""
    (tmp_path / "staff.py").write_text(OWN_DETECTOR, encoding="utf-8")
    assert ["ST-12345"] == _found("ST-12345", detectors_dir=tmp_path)
    assert "STAFF_NUMBER" in {d.entity for d in list_detectors(Defaults(detectors_dir=tmp_path))}
    (tmp_path / "broken.py").write_text("1/0", encoding="utf-8")
    with pytest.raises(InvalidDetector, match=r"broken\.py cannot be imported: ZeroDivisionError"):
        list_detectors(Defaults(detectors_dir=tmp_path))
    with pytest.raises(InvalidDetector, match="nowhere is not a folder of detectors"):
        list_detectors(Defaults(detectors_dir=tmp_path / "nowhere"))


def test_defaults_are_those_of_the_settings() -> None:
    """A bare scanner has what an operator has who sets nothing."""
    chosen = DetectionSettings()
    assert {name: getattr(chosen, name) for name in Defaults._fields} == Defaults()._asdict()

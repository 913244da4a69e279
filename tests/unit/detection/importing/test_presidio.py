"""Files of Presidio: what is taken of each recognizer, what a built-in detector does, and what is refused."""

from pathlib import Path

import pytest

from vestibule.detection import Scanner
from vestibule.detection.importing import Imported, ImportOutcome, import_rules
from vestibule.detection.importing.presidio import import_presidio
from vestibule.detection.importing.python_expressions import as_re2
from vestibule.detection.options import Defaults
from vestibule.detection.rule_files.reading import UnreadableRules, read_rule_file
from vestibule.detection.rule_files.writing import write_rule_file

FILE = r"""
supported_languages: [en]
recognizers:
  - CreditCardRecognizer
  - {name: EmailRecognizer, type: predefined}
  - {name: Ours, class_name: UsSsnRecognizer, type: predefined, enabled: false}
  - {name: SpacyRecognizer, type: predefined}
  - name: Badges
    supported_entity: Staff badge
    patterns:
      - {name: strong, regex: '(?<![\w-])B-\d{4}(?![\w-])', score: 0.8}
      - {name: weak, regex: '\b\d{6}\b', score: 0.05}
      - {name: labelled, regex: '(?<=\bdoor(?:\s*(?:no|code))?:?\s*)[A-Z]{2}\d{,3}\b', score: 0.6}
      - {name: twice, regex: '\b\d{2}([- ])\d{2}\1\d{3}\b', score: 0.5}
      - {name: inside, regex: 'a(?=b)c', score: 0.5}
    supported_languages:
      - {language: en, context: [badge]}
      - {language: de, context: [Ausweis]}
  - {name: Titles, supported_entities: [TITLE], deny_list: [Dr., Prof.]}
  - {name: Weak, supported_entity: WEAK, patterns: [{name: p, regex: x, score: 0.1}]}
  - {name: Retired, supported_entity: OFF, deny_list: [x], enabled: false}
  - {name: Nothing, supported_entity: NOTHING}
  - {name: Other, type: remote}
  - 7
"""


def _import(text: str = FILE) -> Imported:
    return import_presidio("made-up.yaml", text, {"CREDIT_CARD", "EMAIL_ADDRESS", "US_SSN"}.__contains__, 0.4)


def test_what_becomes_of_each() -> None:
    """Pattern by pattern, with the entity or the reason."""
    told = {one.name: (one.outcome.value, one.entity or one.note) for one in _import().outcomes}
    refused = {name: str(reason) for name, (outcome, reason) in told.items() if outcome == "refused"}
    assert {
        "CreditCardRecognizer": ("built-in", "CREDIT_CARD"),
        "EmailRecognizer": ("built-in", "EMAIL_ADDRESS"),
        "Ours": ("built-in", "US_SSN"),
        "Badges: strong": ("taken", "STAFF_BADGE"),
        "Badges: weak": ("taken", "STAFF_BADGE"),
        "Badges: labelled": ("taken", "STAFF_BADGE"),
        "Badges: twice": ("taken", "STAFF_BADGE"),
        "Titles: deny list": ("taken", "TITLE"),
    } == {name: told[name] for name in told if name not in refused}
    reasons = {
        "SpacyRecognizer": "no built-in detector",
        "Badges: inside": "linear time",
        "Weak: p": "never reaches the threshold of 0.4",
        "Retired": "disabled",
        "Nothing": "neither patterns nor a deny list",
        "Other": "unknown type",
        "recognizer 11": "neither a name nor a table",
    }
    assert reasons == {name: reason for name, reason in reasons.items() if reason in refused.get(name, "")}
    assert reasons.keys() == refused.keys()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("b-1234, xb-1234, b-1234-5", ["b-1234"]),
        ("badge 123456", ["123456"]),
        ("ausweis 123456", ["123456"]),
        ("order 123456", []),
        ("Door code: AB12", ["AB12"]),
        ("code: AB12", []),
        ("12-34-567 12-34 567 12 34 567", ["12-34-567", "12 34 567"]),
        ("prof. X, profs.", ["prof."]),
    ],
)
def test_what_the_rules_find(tmp_path: Path, text: str, found: list[str]) -> None:
    """As Presidio does: in any case, weak patterns near a word of their context alone."""
    path = tmp_path / "rules.toml"
    path.write_text(write_rule_file(_import().document, "made up"), encoding="utf-8")
    scanned = Scanner(read_rule_file(path), Defaults()).scan(text)
    assert found == [text[one.start : one.end] for one in scanned]


@pytest.mark.parametrize(
    ("expression", "written"),
    [
        (r"a{,3}[{,3}]\{,3}", r"a{0,3}[{,3}]\{,3}"),
        ("\\u00e9\\U0001F600\\\\u00e9", "\\x{00e9}\\x{0001F600}\\\\u00e9"),
        (r"(?<!\d)5(?=x)", r"(?<!\d)5(?=x)"),
        (r"(?<=no )\d(?!\d)", r"(?:no )(?P<value>\d)(?!\d)"),
        (r"(?<=a)b|c", r"(?<=a)b|c"),
        (r"([-/])\d\1", r"(?:([\-])\d[\-]|([/])\d[/])"),
        (r"(\w)\1", r"(\w)\1"),
    ],
)
def test_expressions_are_written_for_re2(expression: str, written: str) -> None:
    """What it has another syntax for; the rest stays as it is."""
    assert written == as_re2(expression)[0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("recognizers: []", "no list of up to 2,000 `recognizers`"),
        ("- a", "no list"),
        ("recognizers:\n- {name: A, deny_list: [x]}\n- {name: A, deny_list: [y]}", "two rules have the id 'A'"),
        ("a: &x [1]\nrecognizers: *x", r"an alias \(\*x\)"),
        ("[" * 10_000, "nested too deeply"),
        ("recognizers: [\n", "line 2 is not valid YAML"),
        ("!!python/object/apply:os.getcwd []", "not valid YAML"),
        ("a: 2001-99-99", "not valid YAML"),
        ("#" * (1024 * 1024 + 1), "more than 1,048,576 characters"),
    ],
)
def test_a_hostile_file_is_refused(text: str, reason: str) -> None:
    """As a whole, with the reason, and before anything is built of it."""
    with pytest.raises(UnreadableRules, match=reason):
        _import(text)


def test_the_same_recognizer_in_another_language_is_another() -> None:
    """That is how Presidio has several languages."""
    one = "{{name: A, supported_language: {}, supported_entity: E, deny_list: [x]}}"
    imported = _import(f"recognizers: [{one.format('en')}, {one.format('es')}]")
    assert 2 == imported.count(ImportOutcome.TAKEN)


def test_another_file_is_refused(tmp_path: Path) -> None:
    """The name says what a file is."""
    with pytest.raises(UnreadableRules, match="neither a TOML file of gitleaks nor a YAML file"):
        import_rules(tmp_path / "rules.json", lambda _: False)

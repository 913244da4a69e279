"""Files of gitleaks: what is taken of each rule, what is refused, and that a hostile file is."""

import json
from pathlib import Path

import pytest

from vestibule.detection import Scanner
from vestibule.detection.importing import ImportOutcome, import_rules
from vestibule.detection.importing.gitleaks import import_gitleaks
from vestibule.detection.options import Defaults
from vestibule.detection.rule_files.reading import UnreadableRules, read_rule_file
from vestibule.detection.rule_files.writing import write_rule_file

FILE = r"""
title = "made up"
[allowlist]
paths = ['''\.svg$''']
stopwords = ["sample"]
[[allowlists]]
targetRules = ["acme-api-key"]
regexes = ['''^zz''']

[[rules]]
id = "acme-api-key"
regex = '''(?i)\bacme[ \t]{0,3}=[ \t]{0,3}["']?([a-z0-9]{16})(?:["'\s]|$)'''
entropy = 3
keywords = ["ACME"]
[[rules.allowlists]]
regexTarget = "line"
regexes = ['''#[[:space:]]*not a key\z''']
[[rules.allowlists]]
condition = "AND"
paths = ['''tests/''']
regexes = ['''.''']

[[rules]]
id = "9th-token"
regex = '''(t9)-(?P<secret>[[:alnum:]]{12})'''
secretGroup = 2
path = '''(?i)\.tf$'''

[[rules]]
id = "generic-secret"
regex = '''secret=([\w.=-]{10,150})'''
keywords = ["secret"]
"""


def _scanner(tmp_path: Path) -> Scanner:
    imported = import_gitleaks("made-up.toml", FILE)
    assert [ImportOutcome.TAKEN] * 3 == [one.outcome for one in imported.outcomes]
    path = tmp_path / "rules.toml"
    path.write_text(write_rule_file(imported.document, ""), encoding="utf-8")
    return Scanner(read_rule_file(path), Defaults())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('Acme = "k1j2h3g4f5d6s7a8"', ["ACME_API_KEY: k1j2h3g4f5d6s7a8"]),
        ("acme=k1j2h3g4f5d6s7a8", ["ACME_API_KEY: k1j2h3g4f5d6s7a8"]),
        # Entropy, the list for all rules, the one for this rule, and that for its lines.
        ("acme=aaaaaaaaaaaaaaab", []),
        ("acme=samplek1j2h3g4f5", []),
        ("acme=zzk1j2h3g4f5d6s7", []),
        ("acme=k1j2h3g4f5d6s7a8 # not a key\nx", []),
        # The number of a group; in a file of any name.
        ("t9-aB3dE5gH7jK9", ["RULE_9TH_TOKEN: aB3dE5gH7jK9"]),
        # What a rule for everything finds too has the name of the other rule.
        ("secret=t9-aB3dE5gH7jK9", ["RULE_9TH_TOKEN: aB3dE5gH7jK9"]),
        ("secret=aB3dE5gH7jK9", ["GENERIC_SECRET: aB3dE5gH7jK9"]),
    ],
)
def test_what_the_rules_find(tmp_path: Path, text: str, found: list[str]) -> None:
    """As gitleaks does, with its own syntax of expressions, and also what says `gitleaks:allow`."""
    for line in (text, f"{text}\n# gitleaks:allow"):
        scanned = _scanner(tmp_path).scan(line)
        assert found == [f"{one.entity}: {line[one.start : one.end]}" for one in scanned]


def test_what_differs_is_said() -> None:
    """In the note of a rule, or in one about the file."""
    imported = import_gitleaks("made-up.toml", FILE + "[extend]\nuseDefault = true\ndisabledRules = ['a']")
    assert {
        "acme-api-key": "an allow list for some files or commits is left out",
        "9th-token": "only for some files there, for every text here",
        "generic-secret": None,
    } == {one.name: one.note for one in imported.outcomes}
    assert "its paths are ignored" in imported.notes[-1]
    assert "extends the defaults" in imported.notes[0]


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({}, "names of files alone"),
        ({"path": "x"}, "names of files alone"),
        ({"regex": "("}, "valid and small"),
        ({"regex": r"(a)\1"}, "linear time"),
        ({"regex": "a" * 70_000}, "expression: String should have at most 65536"),
        ({"regex": "a{1000}{1000}"}, "valid and small"),
        ({"regex": "a", "secretGroup": 1}, "no group 1"),
        ({"regex": "a", "secretGroup": "one"}, "`secretgroup` is not a number"),
        ({"regex": "a", "entropy": True}, "`entropy` is not a number"),
        ({"regex": "a", "keywords": "b"}, "`keywords` is not a list of texts"),
        ({"regex": "a", "keywords": [str(number) for number in range(501)]}, "keywords: Tuple"),
        ({"regex": "a", "skipReport": True}, "reports nothing by itself"),
        ({"regex": "a", "required": [{"id": "b"}]}, "other rules nearby"),
        ({"regex": "a", "allowlists": [{"regexes": ["("]}]}, "allow.1: an expression"),
        ({"regex": "a", "allowlists": [{"regexTarget": "file", "regexes": ["b"]}]}, "unknown `regexTarget`"),
        ({"regex": "a", "allowlists": [{"condition": "XOR", "regexes": ["b"]}]}, "unknown condition"),
        ({"regex": "a", "id": "-"}, "no letter or digit"),
        ({"regex": "a", "id": "x" * 65}, "longer than 64"),
        ({"regex": "a", "id": 7}, "not a text"),
    ],
)
def test_a_rule_is_refused_with_the_reason(rule: dict, reason: str) -> None:
    """And the others of the file are taken."""
    text = "\n".join(["[[rules]]", *(f"{name} = {_toml(member)}" for name, member in ({"id": "one"} | rule).items())])
    imported = import_gitleaks("x.toml", f"{text}\n[[rules]]\nid = 'two'\nregex = 'b'")
    refused, taken = imported.outcomes
    assert (ImportOutcome.REFUSED, ImportOutcome.TAKEN) == (refused.outcome, taken.outcome)
    assert reason in str(refused.note)


def _toml(member: object) -> str:
    if isinstance(member, dict):
        return "{" + ", ".join(f"{name} = {_toml(one)}" for name, one in member.items()) + "}"
    if isinstance(member, list):
        return f"[{', '.join(_toml(one) for one in member)}]"
    return json.dumps(member)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[rules]]\nid = 'a'\nregex = 'a'\n" * 2, "two rules have the id 'a'"),
        ("[[rules]]\nid = 'a'\n" * 2_001, "more than 2,000 rules"),
        ("title = 'x'", "has no rules"),
        ("rules = 1", "`rules` is not a list of tables"),
        ("a = " + "[" * 5_000, "nested too deeply"),
        (f"{'.'.join('a' * 5_000)} = 1", "nested too deeply"),
        ("= 1", "not valid TOML"),
        ("[[rules]]\nid = 'a'\nregex = 'a'\n[allowlist]\nregexes = [1]", "`regexes` is not a list of texts"),
    ],
)
def test_a_hostile_file_is_refused(text: str, reason: str) -> None:
    """As a whole, with the reason."""
    with pytest.raises(UnreadableRules, match=reason):
        import_gitleaks("x.toml", text)


def test_a_broken_list_for_all_rules_is_refused(tmp_path: Path) -> None:
    """A file of rules that no service could read is never written."""
    broken = tmp_path / "broken.toml"
    broken.write_text("[[rules]]\nid = 'a'\nregex = 'a'\n[allowlist]\nregexes = ['(']")
    with pytest.raises(UnreadableRules, match=r"broken\.toml: the allow list of the file: .*valid"):
        import_rules(broken, lambda _: False)

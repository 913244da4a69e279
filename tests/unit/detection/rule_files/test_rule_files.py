"""Rule files: what they find, what decides on it, and how a broken one is refused."""

import re
import time
from contextlib import suppress
from pathlib import Path

import pytest

from vestibule.detection import DetectionSettings, InvalidDetector, ScanBudgetExceeded, Scanner
from vestibule.detection.catalogue import list_detectors
from vestibule.detection.options import Defaults
from vestibule.detection.rule_files.reading import MAX_FILE_BYTES, read_rule_file
from vestibule.detection.rule_files.writing import write_rule_file
from vestibule.processor_adapters.detector_vocabulary import read_vocabulary, version_of_detectors

RULE = {"name": "acme", "entity": "ACME_KEY", "expression": r"acme_([a-z0-9]{8,})", "value_group": "first_group"}
ONE = "format = 1\n[[rules]]\nname='a'\nentity='A'\nexpression='a'\n"
SLOW = ("(a+)+$", "(a|aa)+b", "a.*a.*a.*b", "(?:a?){50}a{50}c", "(?!(?:aa)+c)aa", "a(?!(?:aa)+c)")


def _scanner(tmp_path: Path, *rules: dict, **members: object) -> Scanner:
    path = tmp_path / "own.toml"
    path.write_text(write_rule_file({"format": 1, **members, "rules": rules}, "a test"), encoding="utf-8")
    return Scanner(read_rule_file(path), Defaults())


def _values(scanner: Scanner, text: str, key: str | None = None) -> list[str]:
    return [text[found.start : found.end] for found in scanner.scan(text, key=key)]


@pytest.mark.parametrize(
    ("member", "text", "found"),
    [
        ({}, "x acme_k1k1k1k1k1 x", ["k1k1k1k1k1"]),
        ({"value_group": None}, "x acme_k1k1k1k1k1 x", ["acme_k1k1k1k1k1"]),
        ({"expression": "acme_(a?)([a-z0-9]{8})", "value_group": 2}, "acme_ab1234567", ["b1234567"]),
        ({"expression": "acme_(?P<value>[a-z]{8})", "value_group": None}, "acme_abcdefgh", ["abcdefgh"]),
        ({"expression": "ACME_([a-z0-9]{8})", "flags": "i"}, "acme_K1k1k1k1", ["K1k1k1k1"]),
        # A keyword may stand anywhere in the text, in any case, and has to.
        ({"keywords": ["acme corp"]}, f"ACME Corp {'x ' * 5_000} acme_k1k1k1k1k1", ["k1k1k1k1k1"]),
        ({"keywords": ["corp"]}, "acme_k1k1k1k1k1", []),
        ({"min_entropy": 2.5}, "acme_aaaaaaaaaa acme_k2j4h6g8f0", ["k2j4h6g8f0"]),
        ({"allow": [{"words": ["Example"]}]}, "acme_example1234 acme_k1k1k1k1k1", ["k1k1k1k1k1"]),
        ({"allow": [{"expressions": ["^k1", "^k2"]}]}, "acme_k1k1k1k1 acme_k3k3k3k3 acme_k2k2k2k2", ["k3k3k3k3"]),
        ({"allow": [{"expressions": ["^acme_k1"], "target": "match"}]}, "acme_k1k1k1k1 acme_k2k2k2k2", ["k2k2k2k2"]),
        ({"allow": [{"expressions": ["demo"], "target": "line"}]}, "acme_k1k1k1k1 demo\nacme_k2k2k2k2", ["k2k2k2k2"]),
        (
            {"allow": [{"expressions": ["1$"], "words": ["test"], "needs_all": True}]},
            "acme_testtest1 acme_testtest2 acme_nonenone1",
            ["testtest2", "nonenone1"],
        ),
    ],
)
def test_what_is_found(tmp_path: Path, member: dict, text: str, found: list[str]) -> None:
    """Each member decides as it says."""
    assert found == _values(_scanner(tmp_path, {**RULE, **member}), text)


def test_a_match_may_be_long(tmp_path: Path) -> None:
    """A private key has many lines."""
    key = "-----BEGIN-----\n" + "MIIEpAIBAAKCAQEA\n" * 400 + "END"
    rule = {"name": "key", "entity": "KEY", "expression": r"-----BEGIN-----[\s\S-]{64,}?END"}
    assert [key, key] == _values(_scanner(tmp_path, rule), f"{key}\n{'x' * 100_000}\n{key}")


def test_words_and_context(tmp_path: Path) -> None:
    """Whole words are found, in any case with the flag; a word before a value raises its score, labels do not count."""
    titles = {"name": "titles", "entity": "TITLE", "words": ["Dr.", "Prof."], "flags": "i", "score": 1.0}
    number = {"name": "desk", "entity": "DESK", "expression": r"\b\d{4}\b", "score": 0.2, "context": ["Desk"]}
    scanner = _scanner(tmp_path, titles, number)
    assert ["dr.", "4711"] == _values(scanner, "dr. Who at desk 4711; Drs. and XDr. order it for 4712")
    assert ["4711"] == _values(scanner, "4711", key="desk")
    assert [0.55] == [round(found.score, 3) for found in scanner.scan("desk 4711")]
    (explained,) = scanner.explain("my desk is 4711")
    assert ("desk", ("desk",)) == (explained.rule, explained.context)


def test_hidden_and_encoded_values_are_found(tmp_path: Path) -> None:
    """A scan reads a text for them as for every detector, and in characters of any script."""
    scanner = _scanner(tmp_path, {**RULE, "keywords": ["acme"]})
    assert ["k1k1k1k1k1"] == _values(scanner, "käse 日本 acme_k1k1k1k1k1 ü")
    assert ["k1k1k1k1k1"] == _values(scanner, "x acme%5Fk1k1k1k1k1")
    assert 1 == len(scanner.scan("YWNtZV9rMWsxazFrMWsxazFrMQ=="))
    assert ["k1k1k1k1k1"] == _values(scanner, "\ud800 acme_k1k1k1k1k1")


def test_what_is_allowed_in_the_whole_file(tmp_path: Path) -> None:
    """The list at the top counts for every rule."""
    other = {**RULE, "name": "other", "entity": "OTHER_KEY", "expression": "other_([a-z0-9]{8})"}
    scanner = _scanner(tmp_path, RULE, other, allow=[{"words": ["k1k1"]}])
    assert [] == _values(scanner, "acme_k1k1k1k1 other_k1k1k1k1")
    assert ["OTHER_KEY"] == [found.entity for found in scanner.scan("other_k2k2k2k2")]


def test_a_folder_has_rule_files_beside_own_detectors(tmp_path: Path) -> None:
    """They belong to the groups of the policy, can be switched off, and are part of the version."""
    before = version_of_detectors(Defaults(detectors_dir=tmp_path))
    _scanner(tmp_path, {**RULE, "group": "secrets"})
    (tmp_path / ".hidden.toml").write_text("broken")
    options = Defaults(detectors_dir=tmp_path)
    assert "ACME_KEY" in {detector.entity for detector in list_detectors(options)}
    vocabulary = read_vocabulary(options)
    assert "ACME_KEY" in vocabulary.groups["secrets"] - vocabulary.groups["personal_data"]
    assert before != version_of_detectors(options)
    changed = version_of_detectors(options)
    _scanner(tmp_path, {**RULE, "group": "secrets", "min_entropy": 3})
    assert changed != version_of_detectors(options)
    settings = DetectionSettings(detectors_dir=tmp_path, entities={"ACME_KEY"})
    assert ["ACME_KEY"] == [found.entity for found in Scanner.from_settings(settings).scan("acme_k2j4h6g8f0")]
    narrow = Scanner.from_settings(settings).narrowed(Defaults(ignored_entities=frozenset({"ACME_KEY"})))
    assert [] == narrow.scan("acme_k2j4h6g8f0")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("format = 2\n[[rules]]\nname='a'\nentity='A'\nexpression='a'", "format: Input should be 1"),
        ("format = 1\nrules = []", "rules: .*at least 1"),
        ("format = 1\n[[rules]]\nname='a'\nentity='a'\nexpression='a'", "rules.1.entity: String should match"),
        ("format = 1\n[[rules]]\nname='a'\nentity='A'", "either an expression or words"),
        ("format = 1\n[[rules]]\nname='a'\nentity='A'\nexpression='(a)\\1'", "rules.1: .*linear time"),
        (ONE + "value_group=1", "no group 1"),
        (ONE + "allow=[{expressions=['(']}]", "allow.1: .*valid"),
        (ONE + "sort='x'", "rules.1.sort: Extra inputs"),
        (ONE + ONE.removeprefix("format = 1\n"), "two rules have the name a"),
        ("format = ", "not valid TOML"),
        ("a = " + "[" * 5_000, "nested too deeply"),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    """With its name, the place and the reason."""
    path = tmp_path / "broken.toml"
    path.write_text(content)
    with pytest.raises(InvalidDetector, match=rf"broken\.toml:? .*{reason}"):
        list_detectors(Defaults(detectors_dir=tmp_path))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """One that is too large, in another encoding, or no file."""
    large, latin, folder = tmp_path / "large.toml", tmp_path / "latin.toml", tmp_path / "folder.toml"
    large.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    latin.write_bytes("a = 'é'".encode("latin-1"))
    folder.mkdir()
    for path, reason in ((large, "larger than 4 MiB"), (latin, "not in UTF-8: byte 6"), (folder, "cannot be read")):
        with pytest.raises(InvalidDetector, match=re.escape(str(path)) + f".*{reason}"):
            read_rule_file(path)


@pytest.mark.parametrize("expression", SLOW)
def test_no_text_makes_one_slow(tmp_path: Path, expression: str) -> None:
    """It ends, or its budget does."""
    scanner = _scanner(tmp_path, {"name": "slow", "entity": "SLOW", "expression": expression})
    began = time.thread_time()
    with suppress(ScanBudgetExceeded):
        scanner.scan("a" * 200_000, budget_ms=500)
    assert time.thread_time() - began < 5

"""A policy file is taken as a whole or refused with the line and the reason."""

from pathlib import Path

import pytest

from vestibule.policy import InvalidPolicy, Vocabulary
from vestibule.policy.policy import Policy


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ('default = "block', 1, "invalid TOML"),
        ('# mine\ndefualt = "block"', 2, "unknown key `defualt`"),
        ('[entities]\n\nEMAIL_ADRESS = "redact"', 3, "did you mean EMAIL_ADDRESS?"),
        ('[entities]\nEMAIL_ADDRESS = "readct"', 2, "`action`: input should be 'block', 'redact'"),
        ('[entities]\nEMAIL_ADDRESS = { action = "mask", threshold = 1.5 }', 2, "`threshold`: input should be less"),
        ('[entities.PASSWORD]\naction = "mask"\nseverity = "loud"', 3, "`severity`: input should be 'info'"),
        ('[groups]\nsecrets = ["PASSWORD"]', 2, "secrets is already the name of an entity or of a built-in group"),
        ('[groups]\nmine = ["PASWORD"]', 2, "did you mean PASSWORD?"),
        ("[groups]\nmine = []", 2, "must have at least one name"),
        ('[[rules]]\ntokens = ["a"]\n[[rules]]\nroutes = ["/add"]\naction = "mask"', 1, "a rule needs an action"),
        ('[[rules]]\naction = "mask"', 1, "use `default`"),
        ('[[rules]]\naction = "mask"\nroutes = ["/run"]', 3, "the policy applies to /add, /messages"),
        ('[[rules]]\naction = "mask"\n\ntokens = ["vst_abc"]', 4, "never the token itself"),
        ('[[rules]]\naction = "mask"\nkey_prefixes = [""]', 1, "is empty"),
        ('[[rules]]\ntokens = ["a"]\naction = "alert"\n[[rules]]\naction = "mask"\nentities = ["X"]', 6, "or group X"),
        ("dry_run = 'perhaps'", 1, "`dry_run`: input should be a valid boolean"),
    ],
)
def test_a_broken_file_is_refused_with_line_and_reason(
    tmp_path: Path, vocabulary: Vocabulary, text: str, line: int, reason: str
) -> None:
    """The error has the line and the reason; an unknown name is an error."""
    path = tmp_path / "policy.toml"
    path.write_text(text)
    with pytest.raises(InvalidPolicy) as caught:
        Policy.read(path, vocabulary)
    assert line == caught.value.line
    assert reason in caught.value.reason
    assert "vst_" not in str(caught.value)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"#" * 1_100_000, None])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, vocabulary: Vocabulary, content: bytes | None) -> None:
    """No text, too much of it, or none at all."""
    path = tmp_path / "policy.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidPolicy):
        Policy.read(path, vocabulary)


def test_the_version_is_of_what_is_said(tmp_path: Path, vocabulary: Vocabulary) -> None:
    """Comments, blank lines, notes and the order of rules change nothing; a threshold does."""
    texts = [
        '[[rules]]\ntokens = ["a", "b"]\naction = "mask"\n[entities]\nPASSWORD = "hash"',
        '#\n[entities]\nPASSWORD = { action = "hash" }\n\n[[rules]]\nnote = ""\ntokens = ["b", "a"]\naction = "mask"',
        '[[rules]]\ntokens = ["a", "b"]\naction = "mask"\n[entities]\nPASSWORD = { action = "hash", threshold = 0.9 }',
    ]
    versions = []
    for number, text in enumerate(texts):
        (tmp_path / str(number)).write_text(text)
        versions.append(Policy.read(tmp_path / str(number), vocabulary).version)
    assert versions[0] == versions[1] != versions[2]

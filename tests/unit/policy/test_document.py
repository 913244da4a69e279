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
        ('[[retention]]\nkey_prefixes = ["a:"]', 1, "needs a default_ttl_s or a max_ttl_s"),
        ("[[retention]]\nmax_ttl_s = 5\n[[retention]]\nmax_ttl_s = 5\n\ndefault_ttl_s = 6", 6, "above max_ttl_s"),
        ('[[retention]]\nmax_ttl_s = 5\nentities = ["EMAIL_ADRESS"]', 3, "did you mean EMAIL_ADDRESS?"),
        ("[[retention]]\nmax_ttl_s = 0", 2, "`max_ttl_s`: input should be greater than 0"),
        ('[[retention]]\nmax_ttl_s = 5\nkey_prefixes = [""]', 3, "is empty"),
        ('[processing]\npurpsoe = "x"', 2, "unknown key `purpsoe`"),
        ('[[purposes]]\npurpose = "x"', 1, "`key_prefixes`: field required"),
        ("[forms.Contact]\nother_fields = true", 1, "string should match pattern"),
        ("[forms.contact]\nnote = 'x'", 1, "`contact`: a form needs fields, or other_fields = true"),
        ("[forms.c]\nfields.options = {}", 2, "no field can have the name options"),
        ("[forms.c]\nfields.a = { max = 1 }", 2, "unknown key `max`"),
        ("[forms.c]\nfields.a = {}\nhoneypot = 'a'", 1, "the honeypot cannot be one of the fields"),
        ("[forms.c]\nother_fields = true\npublic = true", 1, "a public form needs origins"),
        ("[forms.c]\nother_fields = true\npublic = true\norigins = ['*']", 1, "a public form needs origins"),
        ("[forms.c]\nother_fields = true\norigins = ['https://A.example']", 3, "as browsers send it"),
        ("[forms.c]\nother_fields = true\norigins = ['https://a.example/']", 3, "as browsers send it"),
        ("[forms.c]\nother_fields = true\nwrite_to = 'a/'", 1, "need a processor"),
        ("[forms.c]\nother_fields = true\nprocessor = 'redact'\nwrite_to = 'a'", 1, "ends with /"),
        ("[forms.c]\nother_fields = true\nrequests_per_minute = 5", 1, "is for a public form"),
        ("[forms.c]\nother_fields = true\nredirect = 'javascript:alert(1)'", 3, "must be an address"),
        ("[forms.c]\nother_fields = true\nredirect = 'https://a.example/schön'", 3, "must be an address"),
        ('[forms.c]\nother_fields = true\nredirect = "https://a.example/\\u0000"', 3, "must be an address"),
        ("[forms.c]\nother_fields = true\nredirect_refused = 'https://?'", 3, "must be an address"),
        ("[forms.c]\nother_fields = true\norigins = ['https://a.example:443']", 3, "the usual one"),
        ("[forms.c]\nother_fields = true\norigins = ['http://[::1]:80']", 3, "the usual one"),
        ("[forms.c]\nother_fields = true\norigins = ['https://a..example']", 3, "as browsers send it"),
        (f"[forms.c]\nother_fields = true\nprocessor = 'redact'\nwrite_to = '{'a' * 476}/'", 1, "at most 476 bytes"),
        ("[entities]\nEMAIL_ADDRESS = 1", 2, '`EMAIL_ADDRESS`: must be an action such as "redact", or a table'),
        ("entities = 1", 1, "`entities`: must be a table"),
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

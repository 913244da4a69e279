"""Secrets in the forms that people and machines write them in."""

import time

import pytest

from vestibule.detection import DetectionSettings, Scanner

SECRETS = {"PASSWORD", "API_KEY", "ACCESS_TOKEN", "PRIVATE_KEY", "CONNECTION_STRING", "SECRET"}
DRAWN = "q7Lw2Zk9Rt4Xv1Bn8Mc3"
CRAFTED_CHARS = 20_000
# Far above what it takes, far below what a quadratic expression would.
SLOWEST_S = 1.0


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    """Give the scanner that a service would have."""
    return Scanner.from_settings(DetectionSettings(scan_budget_ms=60_000))


def _found(scanner: Scanner, text: str) -> list[str]:
    return [text[f.start : f.end] for f in scanner.scan(text) if f.entity in SECRETS]


@pytest.mark.parametrize(
    "form",
    [
        'acmeToken="{}"',
        'String acmeToken = "{}";',
        "<acmeToken>\n    {}\n</acmeToken>",
        "acme_token: '{}'",
        '{{"acme_token": "{}"}}',
        'System.setProperty("ACME_TOKEN", "{}")',
        "acme_TOKEN := `{}`",
        '$acmeToken .= "{}"',
        "export ACME_TOKEN={}",
        'var acmeToken string = "{}"',
        "--token {}",
        '{{"name": "ACME_TOKEN", "value": "{}"}}',
    ],
)
def test_finds_assignments_of_many_languages(scanner: Scanner, form: str) -> None:
    """Where a name tells that its value is secret, the way of writing does not matter."""
    assert [DRAWN] == _found(scanner, form.format(DRAWN))


@pytest.mark.parametrize(
    "text",
    [
        "my password is hunter2",
        "Mein Passwort lautet hunter2",
        "mi contraseña es hunter2",
        "mon mot de passe est hunter2",
        "la mia parola è hunter2",
        "minha senha é hunter2",
        "mijn wachtwoord is hunter2",
        "moje hasło to hunter2",
        "мій пароль: hunter2",
    ],
)
def test_finds_passwords_in_sentences(scanner: Scanner, text: str) -> None:
    """A password told in a sentence is found in nine languages."""
    assert ["hunter2"] == _found(scanner, text)


@pytest.mark.parametrize(
    "text",
    [
        "The key of the pair raises the score; a token is required.",
        "password = get_password(user)",
        "token: str | None = None",
        "next_page_token=q7Lw2Zk9Rt4Xv1Bn8Mc3",
        "primary_key = 'q7Lw2Zk9Rt4Xv1Bn8Mc3'",
        "commit 8f14e45fceea167a5a36dedd4bea2543f14e45fc",
        "api_key = config.get('api_key')",
        "PASSWORD=${PASSWORD}",
        "curl -u user:password https://example.org",
        "Passwords must have 12 characters, one digit and one of !@#$",
    ],
)
def test_leaves_talk_about_secrets(scanner: Scanner, text: str) -> None:
    """Text and code about secrets hold none."""
    assert [] == _found(scanner, text)


@pytest.mark.parametrize(
    "piece",
    [
        "key=",
        "password ",
        "token: ",
        "secret",
        "api_key=",
        "curl -u ",
        "jdbc:",
        "://a:",
        "AKIA",
        "A",
        "sk-",
        "-----BEGIN PRIVATE KEY-----",
    ],
)
def test_takes_crafted_texts_in_linear_time(scanner: Scanner, piece: str) -> None:
    """No repetition of what the gate looks for makes a scan slow."""
    text = (piece * CRAFTED_CHARS)[:CRAFTED_CHARS]
    took_s = []
    # A busy machine may make one of them wait.
    while len(took_s) < 5 and min(took_s, default=SLOWEST_S) >= SLOWEST_S:
        began = time.perf_counter()
        scanner.scan(text)
        took_s.append(time.perf_counter() - began)
    assert min(took_s) < SLOWEST_S

"""Google's keys for its services, without those that Google itself has published."""

from hashlib import sha256

from vestibule.detection.rules import Detector, Rule
from vestibule.detection.validation.checks import entropy_bits
from vestibule.detection.validation.placeholders import has_high_entropy

# The heads of the SHA-256 of keys that stand in Google's own public code, as gitleaks lists them: to quote one leaks
# nothing.
_PUBLISHED = frozenset(
    [
        "2037abcaffb2",
        "3f370c9dd822",
        "e4a5542bb7fd",
        "a19f89ab3555",
        "0b476bdf9acf",
        "eb540d2b6ee2",
        "37f8f09bdf12",
        "8731261cb72d",
        "49f777db995e",
        "27a9a42931df",
        "dc0fcf046c61",
        "4c98242dcadc",
        "ea9bb1082cf9",
        "3a8b61d0f636",
        "a6c814bc555a",
    ]
)


def is_google_key(value: str) -> bool:
    """Tell a key from a covered one and from one that Google has published."""
    return (
        entropy_bits(value) >= 4.0
        and has_high_entropy(value)
        and sha256(value.encode()).hexdigest()[:12] not in _PUBLISHED
    )


DETECTOR = Detector(
    entity="API_KEY",
    rules=(
        Rule(
            name="google-api-key",
            pattern=r"AIza[\w-]{35}",
            anchors=("AIza",),
            score=0.96,
            check=is_google_key,
            not_before=r"\w-",
        ),
    ),
    examples=("key=[[AIza" + "SyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY]]",),
    counter_examples=("AIzaShort", "AIza" + "x" * 35, "AIzaSy" + "abcdefghijklmnopqrstuvwxyz1234567"),
    sources=("https://cloud.google.com/docs/authentication/api-keys", "https://github.com/gitleaks/gitleaks"),
)

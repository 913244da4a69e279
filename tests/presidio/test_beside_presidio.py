"""Beside Presidio itself, from PyPI: the same requests to both, and what differs has a reason."""

import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from vestibule.client_service.compat.presidio.anonymization import anonymize_request, deanonymize_request
from vestibule.client_service.compat.presidio.names import NOT_SERVED, supported_names
from vestibule.client_service.compat.presidio.refusals import PresidioRefusal
from vestibule.detection import Scanner

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".tools" / "presidio" / "bin" / "python"
# Presidio's patterns without a word nearby are below it; its own demonstration has this threshold.
THRESHOLD = 0.4
TEXTS = {
    "EMAIL_ADDRESS": ["write to jane.roe@example.org, please", "JANE+x@mail.example.co.uk", "<a.b@example.com>"],
    "CREDIT_CARD": ["card 4012-8888-8888-1881", "4111 1111 1111 1111 is my visa", "amex 371449635398431"],
    "IBAN_CODE": ["IBAN DE89370400440532013000", "pay to GB82 WEST 1234 5698 7654 32 today"],
    "IP_ADDRESS": ["from 192.168.1.17", "host 2001:db8:85a3::8a2e:370:7334 is up"],
    "US_SSN": ["ssn 536-22-1234", "social security number: 536 22 1234"],
    "CRYPTO": ["bitcoin 16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ"],
    "PHONE_NUMBER": ["call +1 212 555 2368", "phone: (212) 555-2368", "tel +44 20 7946 0958"],
    "UK_NHS": ["NHS number 401-023-2137"],
    "US_ITIN": ["itin 911-70-1234"],
    "MAC_ADDRESS": ["mac 00:1B:44:11:3A:B7"],
    "US_BANK_NUMBER": ["bank account 945456787654"],
    "US_PASSPORT": ["passport 912803456"],
    "US_DRIVER_LICENSE": ["driver license H12234567"],
}
CASES = [(entity, text) for entity, texts in TEXTS.items() for text in texts]
# Where both find the entity and not the same characters, with the reason: nowhere in these texts.
DIFFERENCES: dict[str, str] = {}
OPERATORS = [
    {"type": "replace"},
    {"type": "replace", "new_value": "X"},
    {"type": "redact"},
    {"type": "keep"},
    {"type": "mask", "masking_char": "*", "chars_to_mask": 3, "from_end": False},
    {"type": "mask", "masking_char": "#", "chars_to_mask": 50, "from_end": True},
    {"type": "hash", "salt": "0123456789abcdef"},
    {"type": "hash", "hash_type": "sha512", "salt": "0123456789abcdef"},
]
INVALID = [
    {"start": 0, "end": 2, "entity_type": "A"},
    {"start": 0, "score": 1, "entity_type": "A"},
    {"end": 2, "score": 1, "entity_type": "A"},
    {"start": 0, "end": 2, "score": 1},
    {"start": "a", "end": 2, "score": 1, "entity_type": "A"},
    {"start": -1, "end": 2, "score": 1, "entity_type": "A"},
]


def _ask(**requests: list[dict] | bool) -> dict[str, list]:
    if not PYTHON.exists():
        pytest.skip("Presidio is not installed")
    command = [PYTHON, Path(__file__).parent / "use_presidio.py"]
    ended = subprocess.run(
        command, input=json.dumps(requests), capture_output=True, text=True, timeout=300, check=False
    )
    assert 0 == ended.returncode, ended.stderr
    answers: dict[str, list] = json.loads(ended.stdout)
    for answer in (*answers["anonymize"], *answers["deanonymize"]):
        for item in answer.get("items", ()):
            # New in 2.2.366, and in no case of its end-to-end tests.
            item.pop("score", None)
    return answers


@pytest.fixture(scope="module")
def theirs() -> list[list[dict]]:
    """What Presidio finds in each text."""
    requests = [{"text": text, "entities": [entity], "threshold": THRESHOLD} for entity, text in CASES]
    return _ask(analyze=requests)["analyze"]


@pytest.fixture
def http(system) -> Iterator[httpx.Client]:
    """A client of ours."""
    headers = {"Authorization": "Bearer SECRET_TOKEN"}
    with httpx.Client(base_url=f"http://127.0.0.1:{system.base_port}/presidio", headers=headers) as client:
        yield client


def test_both_find_the_same_characters(http, theirs):
    """Where both find an entity; each difference is listed with its reason, and ours finds each of these."""
    differing, missed, agreed = {}, [], 0
    for (entity, text), of_theirs in zip(CASES, theirs, strict=True):
        request = {"text": text, "language": "en", "entities": [entity], "score_threshold": THRESHOLD}
        ours = http.post("/analyze", json=request).json()
        if not ours:
            missed.append((entity, text))
        places = {(one["start"], one["end"]) for one in ours}
        expected = {(one["start"], one["end"]) for one in of_theirs}
        if places and expected and places != expected:
            differing[text] = (sorted(places), sorted(expected))
        agreed += bool(places and places == expected)
    assert DIFFERENCES.keys() == differing.keys(), differing
    assert [] == missed
    assert agreed > len(CASES) // 2


def test_every_entity_of_theirs_has_a_place():
    """It is served, under its name or as one of ours, or is said not to be."""
    names = _ask(entities=True)["entities"]
    assert {"CREDIT_CARD", "US_SSN", "UK_NHS", "IN_PAN"} < set(names)
    served = supported_names(Scanner.from_settings().entities)
    assert [] == sorted(set(names) - {*served} - NOT_SERVED)


def _encrypt(size: int) -> dict:
    return {"type": "encrypt", "key": "k" * size}


def _random_request(dice: random.Random) -> dict:
    text = "".join(dice.choice("ab  é\n") for _ in range(dice.randrange(1, 40)))
    results = []
    for _ in range(dice.randrange(7)):
        start = dice.randrange(len(text))
        end = dice.randrange(start + 1, len(text) + 1)
        entity, score = dice.choice("ABC"), dice.choice((0.3, 0.5, 0.9))
        results.append({"start": start, "end": end, "entity_type": entity, "score": score})
    operators = {name: dict(dice.choice(OPERATORS)) for name in ("A", "B", "DEFAULT") if dice.random() < 0.7}
    return {"text": text, "anonymizers": operators, "analyzer_results": results}


def test_both_anonymize_alike():
    """A thousand texts with findings that overlap at random: the same text, the same items in the same order."""
    dice = random.Random(64)
    requests = [_random_request(dice) for _ in range(1_000)]
    answers = _ask(anonymize=requests)["anonymize"]
    differing = [
        (request, ours, of_theirs)
        for request, of_theirs in zip(requests, answers, strict=True)
        if (ours := anonymize_request(request)) != of_theirs
    ]
    assert [] == differing[:1]


def test_both_refuse_alike():
    """The words about a finding or an operator that is not valid, where they repeat nothing."""
    operators = [{"type": "mask"}, {"type": "mask", "masking_char": "ab"}, {"type": "encrypt"}, {}]
    operators += [
        {"type": "encrypt", "key": "short"},
        {"type": "replace", "new_value": 5},
        {"type": "hash", "salt": ""},
    ]
    finding = {"start": 0, "end": 2, "score": 1, "entity_type": "A"}
    requests = [{"text": "abc", "analyzer_results": [one]} for one in INVALID]
    requests += [{"text": "abc", "analyzer_results": [finding], "anonymizers": {"A": dict(one)}} for one in operators]
    requests += [{"text": "abc"}]
    ours = []
    for request in requests:
        with pytest.raises(PresidioRefusal) as refusal:
            anonymize_request(request)
        ours.append((refusal.value.status, refusal.value.message))
    answers = _ask(anonymize=requests)["anonymize"]
    assert [(422, one["error"]) for one in answers] == ours


def test_each_decrypts_what_the_other_encrypts():
    """With keys of each size."""
    finding = {"start": 2, "end": 6, "score": 1, "entity_type": "A"}
    requests = [
        {
            "text": "a Jané b",
            "analyzer_results": [finding],
            "anonymizers": {"A": {"type": "encrypt", "key": "k" * size}},
        }
        for size in (16, 24, 32)
    ]

    def decrypting(request: dict, answer: dict) -> dict:
        key = request["anonymizers"]["A"]["key"]
        deanonymizers = {"A": {"type": "decrypt", "key": key}}
        return {"text": answer["text"], "anonymizer_results": answer["items"], "deanonymizers": deanonymizers}

    ours = [decrypting(request, anonymize_request(request)) for request in requests]
    answers = _ask(anonymize=requests, deanonymize=ours)
    of_theirs = [decrypting(*pair) for pair in zip(requests, answers["anonymize"], strict=True)]
    assert {"a Jané b"} == {one["text"] for one in answers["deanonymize"]}
    assert answers["deanonymize"] == [deanonymize_request(one) for one in of_theirs]

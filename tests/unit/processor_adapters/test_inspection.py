"""What `redact` puts in place of findings is what the policy says, and at least a name."""

import pytest

from vestibule.contracts.tasks import WorkOrigin
from vestibule.detection import DetectionSettings, Scanner
from vestibule.policy import Action, Policy
from vestibule.policy.policy import FallbackPolicy
from vestibule.processing import ProcessingInterrupted
from vestibule.processing.ports import DataTooLarge
from vestibule.processor_adapters import Inspector, Pseudonymizer
from vestibule.processor_adapters.detector_vocabulary import read_vocabulary

MAIL, CARD = "anna.schmidt@firma.de", "4111 1111 1111 1111"
TEXT = f"write to {MAIL}, card {CARD}"
ENTITIES = frozenset({"EMAIL_ADDRESS", "CREDIT_CARD"})


class _Tokens:
    """Tokens that say whose they are."""

    def tokenize(self, value: str, entity: str, tenant: str) -> str:
        return f"<{entity} of {tenant}>"

    def reveal(self, token: str, tenant: str) -> str:
        raise NotImplementedError


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    """A scanner of two kinds."""
    return Scanner.from_settings(DetectionSettings(entities=ENTITIES, max_text_chars=1_000))


def _inspector(scanner: Scanner, default: Action = Action.BLOCK, **by_entity: Action) -> Inspector:
    policy = Policy.built_in(read_vocabulary(), FallbackPolicy(default, by_entity))
    return Inspector(lambda: scanner, lambda: policy, Pseudonymizer(lambda _text, _tenant: "f1", _Tokens()))


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, "write to <EMAIL_ADDRESS>, card <CREDIT_CARD>"),
        ({"EMAIL_ADDRESS": Action.ALERT}, "write to <EMAIL_ADDRESS>, card <CREDIT_CARD>"),
        ({"EMAIL_ADDRESS": Action.IGNORE}, f"write to {MAIL}, card <CREDIT_CARD>"),
        ({"CREDIT_CARD": Action.MASK}, "write to <EMAIL_ADDRESS>, card ***************1111"),
        ({"CREDIT_CARD": Action.HASH}, "write to <EMAIL_ADDRESS>, card <CREDIT_CARD#f1>"),
        ({"CREDIT_CARD": Action.TOKENIZE}, "write to <EMAIL_ADDRESS>, card <CREDIT_CARD of north>"),
    ],
)
def test_each_finding_gets_what_the_policy_says(scanner: Scanner, policy: dict[str, Action], expected: str) -> None:
    """What it would block or let in with an alert becomes the name of its kind; what it ignores stays."""
    redacted = _inspector(scanner, **policy).redact(TEXT, WorkOrigin(tenant="north"), (), None)
    assert expected == redacted


def test_what_is_asked_for_goes_before_the_policy(scanner: Scanner) -> None:
    """Named kinds alone are replaced, also those that the policy ignores, by what was asked for."""
    inspector = _inspector(scanner, EMAIL_ADDRESS=Action.IGNORE)
    assert f"write to <EMAIL_ADDRESS>, card {CARD}" == inspector.redact(TEXT, WorkOrigin(), ["EMAIL_ADDRESS"], None)
    masked = f"write to {MAIL}, card ***************1111"
    assert masked == inspector.redact(TEXT, WorkOrigin(), (), "mask")


def test_what_cannot_be_judged_is_not_passed_on(scanner: Scanner) -> None:
    """Too long a text is refused for good, one that takes too long for now."""
    with pytest.raises(DataTooLarge):
        _inspector(scanner).redact("x" * 1_001, WorkOrigin(), (), None)
    hasty = Scanner.from_settings(DetectionSettings(entities=ENTITIES, scan_budget_ms=1e-9))
    with pytest.raises(ProcessingInterrupted):
        _inspector(hasty).count(TEXT * 200)

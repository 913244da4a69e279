"""Values that pass: by the fingerprint of their alert, for one entity and tenant, until their end."""

from vestibule.contracts.allowances import AllowedValue
from vestibule.detection import Finding
from vestibule.encryption import Fingerprinter, KeyRing, Purpose
from vestibule.encryption.key_ring import new_key
from vestibule.policy import Action, DecidedFinding, Decision
from vestibule.policy.allowances import MAX_COMPARED, AllowanceList

EPOCH_S = 30 * 86_400
CARD, MAIL = "CREDIT_CARD", "EMAIL_ADDRESS"


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = 700 * EPOCH_S + 5.0

    def __call__(self) -> float:
        return self.now


class Ring:
    """A ring in memory."""

    def __init__(self) -> None:
        self.ring = KeyRing([new_key(purpose) for purpose in Purpose])

    def current(self) -> KeyRing:
        return self.ring

    reload = current


def _list(*values: tuple[str, str, str, float]) -> tuple[AllowanceList, Clock]:
    """Return a list in which these values, entities and tenants pass for so many seconds."""
    clock = Clock()
    fingerprinter = Fingerprinter(Ring(), clock)
    known = AllowanceList(fingerprinter.fingerprints_of, clock)
    known.replace(
        AllowedValue(
            id=f"{number}",
            tenant=tenant,
            entity=entity,
            fingerprints=[fingerprinter.fingerprint(value, tenant)],
            end=clock.now + lasts_s,
        )
        for number, (value, entity, tenant, lasts_s) in enumerate(values)
    )
    return known, clock


def test_a_value_passes_for_its_entity_and_tenant() -> None:
    """In any writing; another value, entity or tenant does not."""
    known, _ = _list(("4111 1111 1111 1111", CARD, "north", 60))
    assert "0" == known.allowance_of("4111-1111-1111-1111", CARD, "north")
    assert "0" == known.allowance_of("4111111111111111", CARD, "north")
    assert known.allowance_of("4111111111111112", CARD, "north") is None
    assert known.allowance_of("4111111111111111", "PHONE_NUMBER", "north") is None
    assert known.allowance_of("4111111111111111", CARD, "south") is None


def test_it_passes_over_the_epochs_of_fingerprints_until_its_end() -> None:
    """The fingerprint of an alert is enough, months later; the end is exact, and needs no word from the store."""
    known, clock = _list(("jane@example.org", MAIL, "default", 200 * 86_400))
    for _ in range(6):
        clock.now += EPOCH_S
        assert "0" == known.allowance_of("jane@example.org", MAIL, "default")
    clock.now = 700 * EPOCH_S + 5.0 + 200 * 86_400
    assert known.allowance_of("jane@example.org", MAIL, "default") is None


def test_of_two_for_one_value_the_last_to_end_counts() -> None:
    """Whichever was added first."""
    known, clock = _list(("a@b.org", MAIL, "t", 50), ("a@b.org", MAIL, "t", 90), ("a@b.org", MAIL, "t", 10))
    assert "1" == known.allowance_of("a@b.org", MAIL, "t")
    clock.now += 60
    assert "1" == known.allowance_of("a@b.org", MAIL, "t")


def _decision(text: str, *spans: tuple[int, int], withheld: Action | None = None) -> Decision:
    action = Action.ALERT if withheld else Action.BLOCK
    findings = [DecidedFinding("value", Finding(MAIL, start, end, 0.9), action) for start, end in spans]
    return Decision("v1", findings, [withheld] * len(findings) if withheld else None)


def test_a_decision_ignores_what_may_pass_and_keeps_the_rest() -> None:
    """In a dry run too; a decision about which nothing is allowed stays as it is."""
    text = "a@b.org c@d.org a@b.org"
    spans = ((0, 7), (8, 15), (16, 23))
    known, _ = _list(("a@b.org", MAIL, "t", 60))
    decided = known.apply_to(_decision(text, *spans), {"value": text}, "t")
    assert [("ignore", "0"), ("block", None), ("ignore", "0")] == [
        (one.action, one.allowance) for one in decided.findings
    ]
    assert "blocked" == decided.outcome
    assert "let_in" == known.apply_to(_decision(text, spans[0]), {"value": text}, "t").outcome
    dry = known.apply_to(_decision(text, *spans, withheld=Action.BLOCK), {"value": text}, "t")
    assert [Action.IGNORE, Action.BLOCK, Action.IGNORE] == dry.would_have
    same = _decision(text, *spans)
    assert known.apply_to(same, {"value": text}, "other") is same


def test_many_different_values_are_not_all_compared() -> None:
    """A request cannot make the service compute fingerprints without end; what is not compared does not pass."""
    words = [f"user{number:05}@example.org" for number in range(MAX_COMPARED + 1)]
    text, width = " ".join(words), len(words[0])
    spans = [(number * (width + 1), number * (width + 1) + width) for number in range(len(words))]
    known, _ = _list((words[-1], MAIL, "t", 60), (words[-2], MAIL, "t", 60))
    decided = known.apply_to(_decision(text, *spans), {"value": text}, "t")
    assert [Action.IGNORE, Action.BLOCK] == [one.action for one in decided.findings[-2:]]

"""The line of a request says what was decided about it, once for all of its texts."""

from collections.abc import Iterator
from typing import Any

import pytest

from vestibule.client_service.screening.screener import report_decision
from vestibule.detection import Finding
from vestibule.policy import Action, DecidedFinding, Decision
from vestibule.runtime.log_context import begin_log_fields, log_fields


@pytest.fixture(autouse=True)
def no_context() -> Iterator[None]:
    """Begin and end with a line that says nothing."""
    begin_log_fields({})
    yield
    begin_log_fields({})


def _decision(**actions: Action) -> Decision:
    return Decision(
        "v", [DecidedFinding("value", Finding(entity, 0, 1, 0.9), action) for entity, action in actions.items()]
    )


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [
        ([_decision()], {"decision": "clean"}),
        ([_decision(EMAIL_ADDRESS=Action.REDACT)], {"decision": "redact", "entities": ["EMAIL_ADDRESS"]}),
        ([_decision(URL=Action.IGNORE)], {"decision": "ignore", "entities": ["URL"]}),
        (
            [_decision(), _decision(US_SSN=Action.REDACT), _decision(), _decision(PASSWORD=Action.ALERT)],
            {"decision": "redact", "entities": ["PASSWORD", "US_SSN"]},
        ),
        (
            [_decision(A=Action.ALERT), _decision(B=Action.BLOCK, A=Action.REDACT)],
            {"decision": "block", "entities": ["A", "B"]},
        ),
    ],
    ids=["clean", "redacted", "ignored", "a batch", "a batch that is refused"],
)
def test_the_strictest_of_all_decisions_and_the_kinds_of_all(decisions: list[Decision], expected: Any) -> None:
    """A clean text takes nothing back from what was said of another."""
    for decision in decisions:
        report_decision(decision)
    assert expected == log_fields()

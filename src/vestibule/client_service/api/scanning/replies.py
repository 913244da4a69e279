"""What a scan answers."""

from typing import Any

from pydantic import BaseModel, Field

from vestibule.client_service.api.screening import FindingView
from vestibule.policy import Action, Outcome


class Reasons(BaseModel):
    """The reasons of a finding: rule, check and context. Never the value."""

    rule: str = Field(examples=["address"])
    check: str | None = Field(examples=["is_email"])
    context: list[str] = Field(description="Words that raised or lowered the score", examples=[["e-mail"]])
    decoded_from: str | None = Field(description="The encoding in which it was found, if any", examples=["base64"])


class ExplainedFinding(FindingView):
    """A finding with its reasons."""

    because: Reasons


class ForeseenFinding(FindingView):
    """A finding, and what the policy would do with it."""

    because: Reasons | None = Field(default=None, description="With `explain`")
    action: Action = Field(description="The action that would be taken", examples=["redact"])
    would_have: Action | None = Field(default=None, description="In a dry run: the action that would be withheld")
    rule: str | None = Field(
        description="The rule of the policy that decides, with its line", examples=["policy.toml, line 2"]
    )
    allowance: str | None = Field(default=None, description="The allowance by which the value would pass")


class ScanReply(BaseModel):
    """The findings in a text."""

    findings: list[ExplainedFinding | FindingView]


class TreatedScan(BaseModel):
    """The findings in a text, and what the policy would do with it."""

    findings: list[ForeseenFinding]
    outcome: Outcome = Field(examples=["let_in"])
    policy: str = Field(description="The version of the policy that decides", examples=["3c81d9a07b52"])
    text: str | None = Field(
        description="The text as it would be stored, null where it would be rejected; pseudonyms, which only a request "
        "that stores makes, are left out: `<EMAIL_ADDRESS#…>`, `<EMAIL_ADDRESS.v1.…>`",
        examples=["write to <EMAIL_ADDRESS>"],
    )


class BatchScanReply(BaseModel):
    """The findings in each text, in the order of the request."""

    results: list[TreatedScan | ScanReply]


LINES_DESCRIPTION = (
    "One JSON object a line, for each line of NDJSON that is not blank, and for each row of CSV, in order, written "
    "while the body still comes in: `line`, `id` where the line has one, `row` of a row, and either `findings` (with "
    "`treat` also the other members of `TreatedScan`) or `problem`, a problem document. A finding in a row has also "
    "`column` and `column_number`. With `treat` a row has in place of `text` an object `values`: for each cell with "
    "findings, by the number of its column, the text as it would be stored."
)

PLAIN_ANSWER = {"findings": [{"entity": "EMAIL_ADDRESS", "start": 9, "end": 23, "score": 0.95}]}
LINES_ANSWER: dict[str, Any] = {
    "schema": {"type": "string", "description": LINES_DESCRIPTION},
    "example": '{"line":1,"id":"row-1","findings":[{"entity":"EMAIL_ADDRESS","start":9,"end":25,"score":1.0}]}\n',
}

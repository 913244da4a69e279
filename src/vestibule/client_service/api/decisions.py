"""What a reply says about the screening decision: shared by every route that accepts data."""

from typing import Any

from pydantic import BaseModel, Field

from vestibule.client_service.screening.screener import Screened
from vestibule.policy import Action


class FindingView(BaseModel):
    """A finding: the kind and the position. Never the text itself."""

    entity: str = Field(examples=["EMAIL_ADDRESS"])
    start: int = Field(description="First character, counted in Unicode code points", examples=[8])
    end: int = Field(description="The character after the last", examples=[25])
    score: float = Field(description="How sure the scanner is, from 0 to 1", examples=[1.0])


class TreatedFinding(FindingView):
    """A finding that the policy accepted, and how."""

    field: str = Field(description="The part of the request that contains it", examples=["value"])
    action: Action = Field(description="The action that was taken", examples=["redact"])
    would_have: Action | None = Field(default=None, description="In a dry run: the action that would have been taken")


class DecisionReply(BaseModel):
    """The decision about a request that was accepted."""

    findings: list[TreatedFinding] = Field(description="What the policy accepted, changed or unchanged")
    would_have: Action | None = Field(
        default=None, description="In a dry run: the strictest action that would have been taken"
    )
    receipt: str = Field(
        description="The decision, signed: a compact JWS; `vestibule receipt verify` or any JOSE library checks it",
        examples=["eyJhbGciOiJFZDI1NTE5Iiwia2lkIjoi…"],
    )


def decision_of(screened: Screened) -> dict[str, Any]:
    """Return the members of a `DecisionReply`."""
    return {
        "findings": [located.as_dict() for located in screened.findings],
        "would_have": screened.would_have,
        "receipt": screened.receipt,
    }

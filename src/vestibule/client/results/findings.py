"""Findings, and what the policy did with them."""

from vestibule.client.decoding import Result, result


@result
class TreatedFinding(Result):
    """A finding that the policy accepted, and how."""

    entity: str
    # First character, counted in Unicode code points
    start: int
    # The character after the last
    end: int
    # Confidence of the scanner, from 0 to 1
    score: float
    # The part of the request that contains it
    field: str
    # The action that was taken
    action: str
    # In a dry run: the action that would have been taken
    would_have: str | None = None

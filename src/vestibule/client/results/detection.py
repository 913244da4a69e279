"""What scans find, and values behind tokens."""

from dataclasses import field

from vestibule.client.decoding import Result, result


@result
class FindingReasons(Result):
    """The reasons of a finding: rule, check and context. Never the value."""

    rule: str
    check: str | None
    # Words that raised or lowered the score
    context: list[str]
    # The encoding in which it was found, if any
    decoded_from: str | None


@result
class Finding(Result):
    """A finding with its reasons."""

    entity: str
    # First character, counted in Unicode code points
    start: int
    # The character after the last
    end: int
    # Confidence of the scanner, from 0 to 1
    score: float
    because: FindingReasons | None = None


@result
class Scan(Result):
    """The findings in a text."""

    findings: list[Finding]


@result
class ForeseenFinding(Result):
    """A finding, and what the policy would do with it."""

    entity: str
    # First character, counted in Unicode code points
    start: int
    # The character after the last
    end: int
    # Confidence of the scanner, from 0 to 1
    score: float
    # The action that would be taken
    action: str
    # The rule of the policy that decides, with its line
    rule: str | None
    because: FindingReasons | None = None
    # In a dry run: the action that would be withheld
    would_have: str | None = None
    # The allowance by which the value would pass
    allowance: str | None = None


@result
class TreatedScan(Result):
    """The findings in a text, and what the policy would do with it."""

    findings: list[ForeseenFinding]
    outcome: str
    # The version of the policy that decides
    policy: str
    # The text as it would be stored, None where it would be rejected; without pseudonyms
    text: str | None = field(repr=False)


@result
class BatchScan(Result):
    """The findings in each text, in the order of the request."""

    results: list[Scan]


@result
class RevealedValue(Result):
    """The value behind a token, or of an entry."""

    value: str = field(repr=False)
    # The alert that records the caller and the reason
    alert_id: str
    # The key of the token was rotated; the value can be revealed until that key is retired
    rotated: bool
    # Of an entry: its key
    key: str | None = None
    # Of an entry: the version that has the value
    version: int | None = None


@result
class RevealedTexts(Result):
    """Texts with the values in place of what stood for them."""

    texts: list[str] = field(repr=False)
    # How many stand-ins and tokens were replaced
    revealed: int
    # The one alert that records the caller and the reason
    alert_id: str

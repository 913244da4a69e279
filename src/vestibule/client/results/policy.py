"""The policy, drafts of it, and allowances."""

from datetime import datetime

from vestibule.client.decoding import Result, result


@result
class PolicyRule(Result):
    """A rule. What it does not name matches everything; what it does not set comes from wider rules."""

    # The same as long as the rule says the same
    id: str
    # Where it stands
    origin: str
    # In the policy file; None for settings and defaults
    line: int | None
    # An entity or a group
    entity: str | None
    # A field of a request, such as one of a form
    field: str | None
    token: str | None
    key_prefix: str | None
    route: str | None
    action: str | None
    threshold: float | None
    severity: str | None
    # Decisions of the last 30 days in which it decided on a finding
    hits: int


@result
class RetentionRule(Result):
    """A rule about how long entries are kept."""

    # Where it stands
    origin: str
    applies_to: str
    default_ttl_s: float | None = None
    max_ttl_s: float | None = None


@result
class PolicyState(Result):
    """The policy in force."""

    version: str
    # Since when it is in force in the service that answers
    since: datetime | None
    # None if there is no policy file
    file: str | None
    dry_run: bool
    keep_clean: bool
    # Those that overrule others stand before them: the narrowest first, settings and defaults last
    rules: list[PolicyRule]
    # Rules about tokens that may belong to other tenants
    hidden_rules: int
    retention: list[RetentionRule]
    # Pass it as `cursor` for the next page; None on the last page
    cursor: str | None


@result
class DraftMistake(Result):
    """The first mistake of a draft."""

    line: int | None
    reason: str


@result
class DraftCheck(Result):
    """Whether a draft is valid, and what it would be."""

    valid: bool
    # The first mistake, if any
    mistakes: list[DraftMistake]
    version: str | None = None
    # Rules of the draft, with those of the settings beneath it
    rules: int | None = None
    dry_run: bool | None = None
    # Whether it says the same as the policy in force
    is_in_force: bool | None = None


@result
class SampleOutcome(Result):
    """What becomes of a sample."""

    # Counted from 1
    number: int
    as_expected: bool
    # The strictest action, `pass` for none
    outcome: str
    actions: dict[str, str]


@result
class SampleRun(Result):
    """The outcome of each sample."""

    # The version that decided
    policy: str
    mismatches: int
    samples: list[SampleOutcome]


@result
class ActionChange(Result):
    """How many change from one action to another."""

    before: str
    after: str
    number: int


@result
class EntityComparison(Result):
    """The actions on an entity side by side: as they were recorded, and as the draft decides."""

    entity: str
    findings: int
    recorded: dict[str, int]
    replayed: dict[str, int]
    changes: list[ActionChange]


@result
class Replay(Result):
    """Recorded decisions, side by side with what the draft decides on them."""

    # The version that decided
    policy: str
    # From when on decisions were replayed
    since: datetime
    # False if there are more since `days` than one replay takes, some 20,000
    complete: bool
    # Decisions with findings that were replayed
    decisions: int
    # Decisions with a finding whose action changes
    changed: int
    # Decisions whose strictest action changes
    changes: list[ActionChange]
    blocked_recorded: int
    blocked_replayed: int
    entities: list[EntityComparison]


@result
class Allowance(Result):
    """An allowance. It holds keyed fingerprints, from which no value can be derived."""

    id: str
    tenant: str
    entity: str
    fingerprints: list[str]
    alert_id: str | None
    reason: str
    # The name of the token that added it
    author: str
    # The id of that token
    token_id: str
    start: datetime
    end: datetime
    # The name of the token that revoked it
    revoked_by: str | None
    # Decisions in which it let the value pass
    hits: int

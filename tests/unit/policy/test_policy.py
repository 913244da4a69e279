"""The narrowest rule holds; in doubt the stricter does; the strictest action decides over a request."""

from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibule.policy import Action, Outcome, Policy, RuleSeverity, Situation, Vocabulary
from vestibule.policy.policy import FallbackPolicy
from vestibule.policy.rule_index import PolicyRule, Scope, resolve

ENTITIES = ("EMAIL_ADDRESS", "PASSWORD", "API_KEY", "US_SSN")
GROUPS = {"secrets": frozenset({"PASSWORD", "API_KEY"}), "contact": frozenset({"EMAIL_ADDRESS"})}


class Finding(NamedTuple):
    """A finding as the scanner makes them."""

    entity: str
    start: int = 0
    end: int = 4
    score: float = 0.9


actions = st.sampled_from(Action)
scopes = st.builds(
    Scope,
    entity=st.sampled_from([None, *ENTITIES]),
    token=st.sampled_from([None, "a", "t-b"]),
    key_prefix=st.sampled_from([None, "x", "x/", "x/y/"]),
    route=st.sampled_from([None, "/add"]),
) | st.builds(Scope, group=st.sampled_from(list(GROUPS)), token=st.sampled_from([None, "a"]))
rules = st.builds(
    PolicyRule,
    scopes,
    st.just("here"),
    st.sampled_from([0, 1]),
    st.none() | actions,
    st.none() | st.floats(0, 1),
    st.none() | st.sampled_from(RuleSeverity),
)
BOTTOM = PolicyRule(Scope(), "built in", 0, Action.BLOCK)
situations = st.builds(
    Situation,
    st.sampled_from(["/add", "/messages"]),
    st.sampled_from(["t-a", "t-b"]),
    st.sampled_from(["a", "c"]),
    st.sampled_from([None, "x", "x/z", "x/y/z", "w"]),
)
findings = st.lists(st.builds(Finding, st.sampled_from(ENTITIES), score=st.floats(0, 1)), max_size=5)


def _applies(rule: PolicyRule, situation: Situation, entity: str) -> bool:
    scope = rule.scope
    return (
        scope.entity in (None, entity)
        and (scope.group is None or entity in GROUPS[scope.group])
        and scope.token in (None, situation.token_id, situation.token_name)
        and scope.route in (None, situation.route)
        and (scope.key_prefix is None or (situation.key or "").startswith(scope.key_prefix))
    )


@given(st.lists(rules, max_size=12), situations, st.sampled_from(ENTITIES))
def test_the_table_says_what_a_walk_over_all_rules_says(
    some: list[PolicyRule], situation: Situation, entity: str
) -> None:
    """The compiled look-up and the plain reading of the rules agree, on a first use and on a second."""
    every = [BOTTOM, *some]
    policy = Policy(every, GROUPS)
    expected = resolve([rule for rule in every if _applies(rule, situation, entity)])
    assert expected == policy.verdict_of(situation, entity) == policy.verdict_of(situation, entity)


def test_of_equals_that_say_the_same_the_narrowest_by_kind_is_named() -> None:
    """Although the index looks at rules for all entities first."""
    by_route = PolicyRule(Scope(route="/add"), "by route", 1, Action.BLOCK)
    by_group = PolicyRule(Scope(group="contact"), "by group", 1, Action.BLOCK)
    situation = Situation("/add", "t-a", "a", None)
    for some in ([by_route, by_group], [by_group, by_route]):
        assert "by group" == Policy([BOTTOM, *some], GROUPS).verdict_of(situation, "EMAIL_ADDRESS").rule


@given(st.lists(rules, max_size=8), situations, st.sampled_from(ENTITIES), st.randoms())
def test_the_order_of_rules_does_not_matter(
    some: list[PolicyRule], situation: Situation, entity: str, random: Any
) -> None:
    """Neither for what is decided, nor for the rule that is named, nor for the version."""
    shuffled = random.sample(some, len(some))
    one, other = Policy([BOTTOM, *some], GROUPS), Policy([*shuffled, BOTTOM], GROUPS)
    assert one.version == other.version
    assert one.verdict_of(situation, entity) == other.verdict_of(situation, entity)


@given(st.lists(rules, max_size=8), situations, findings)
def test_the_strictest_action_decides_over_the_request(
    some: list[PolicyRule], situation: Situation, found: list[Finding]
) -> None:
    """One finding that is to be blocked blocks; what is below its threshold is ignored."""
    policy = Policy([BOTTOM, *some], GROUPS)
    decision = policy.decide(situation, {"value": found})
    for one in decision.findings:
        verdict = policy.verdict_of(situation, one.found.entity)
        assert one.action == (Action.IGNORE if one.found.score < verdict.threshold else verdict.action)
    assert (decision.outcome is Outcome.BLOCKED) == (Action.BLOCK in [one.action for one in decision.findings])


@given(st.lists(rules, max_size=8), situations, findings)
def test_nothing_is_replaced_in_a_key(some: list[PolicyRule], situation: Situation, found: list[Finding]) -> None:
    """A key passes as it is or not at all: two keys that are redacted could become one."""
    decision = Policy([BOTTOM, *some], GROUPS).decide(situation, {"key": found})
    assert {one.action for one in decision.findings} <= {Action.BLOCK, Action.ALERT, Action.IGNORE}


@given(st.lists(rules, max_size=8), situations, findings)
def test_a_dry_run_blocks_and_changes_nothing(
    some: list[PolicyRule], situation: Situation, found: list[Finding]
) -> None:
    """What would have been done is said, and is what the same policy does in earnest."""
    dry = Policy([BOTTOM, *some], GROUPS, is_dry_run=True).decide(situation, {"value": found})
    earnest = Policy([BOTTOM, *some], GROUPS).decide(situation, {"value": found})
    assert {one.action for one in dry.findings} <= {Action.ALERT, Action.IGNORE}
    assert [one.action for one in earnest.findings] == list(dry.would_have or [])


PRECEDENCE = """
default = "mask"

[entities]
secrets = "block"
PASSWORD = "hash"
EMAIL_ADDRESS = { action = "redact", threshold = 0.7, severity = "info" }

[[rules]]
tokens = ["support"]
action = "alert"

[[rules]]
tokens = ["support"]
entities = ["EMAIL_ADDRESS"]
key_prefixes = ["tickets/", "tickets/vip/"]
action = "alert"

[[rules]]
entities = ["EMAIL_ADDRESS"]
key_prefixes = ["tickets/vip/"]
severity = "critical"
"""


@pytest.mark.parametrize(
    ("token", "key", "entity", "expected"),
    [
        (None, None, "US_SSN", ("mask", 0, None)),
        (None, None, "API_KEY", ("block", 0, None)),
        (None, None, "PASSWORD", ("hash", 0, None)),
        (None, None, "EMAIL_ADDRESS", ("redact", 0.7, "info")),
        ("support", None, "US_SSN", ("alert", 0, None)),
        # Of a token and an entity neither is the narrower: the stricter.
        ("support", None, "PASSWORD", ("hash", 0, None)),
        ("support", "notes/1", "EMAIL_ADDRESS", ("redact", 0.7, "info")),
        ("support", "tickets/1", "EMAIL_ADDRESS", ("alert", 0.7, "info")),
        ("support", "tickets/vip/1", "EMAIL_ADDRESS", ("alert", 0.7, "critical")),
        (None, "tickets/vip/1", "EMAIL_ADDRESS", ("redact", 0.7, "critical")),
    ],
)
def test_precedence(read_policy: Any, token: str | None, key: str | None, entity: str, expected: tuple[Any]) -> None:
    """The examples of the documentation, as they are written there."""
    verdict = read_policy(PRECEDENCE).verdict_of(Situation("/add", "t", token, key), entity)
    assert expected == (verdict.action, verdict.threshold, verdict.severity)


def test_a_rule_can_name_fields(read_policy: Any) -> None:
    """A field of a form, also where it has several values; a field that no rule names is as any other."""
    policy = read_policy('[[rules]]\nfields = ["email"]\nentities = ["EMAIL_ADDRESS"]\naction = "tokenize"')
    fields = ("email", "email/1", "message", "name 2")
    found = {name: [Finding("EMAIL_ADDRESS", score=1.0)] for name in fields}
    decided = policy.decide(Situation("/forms/{name}", key="forms/a/1"), found).findings
    assert dict(zip(fields, ["tokenize", "tokenize", "block", "block"], strict=True)) == {
        one.field: one.action for one in decided
    }
    unchanged = read_policy('default = "redact"').decide(Situation("/forms/{name}"), found)
    assert {"email": "redact", "name 2": "block"}.items() <= {
        one.field: one.action for one in unchanged.findings
    }.items()


def test_the_file_holds_over_the_settings(read_policy: Any, vocabulary: Vocabulary) -> None:
    """Settings hold where the file says nothing, and a `default` in the file says something about everything."""
    fallback = FallbackPolicy(Action.ALERT, {"EMAIL_ADDRESS": Action.REDACT, "secrets": Action.HASH})
    here = Situation("/add")
    for text, expected in (
        ("", ("redact", "hash", "alert")),
        ('[entities]\npersonal_data = "mask"', ("mask", "hash", "mask")),
        ('default = "ignore"', ("ignore", "ignore", "ignore")),
    ):
        policy = read_policy(text, fallback)
        entities = ("EMAIL_ADDRESS", "PASSWORD", "US_SSN")
        assert expected == tuple(policy.verdict_of(here, entity).action for entity in entities)
    assert Action.BLOCK is Policy.built_in(vocabulary).verdict_of(here, "US_SSN").action
    with pytest.raises(ValueError, match="did you mean PASSWORD"):
        Policy.built_in(vocabulary, FallbackPolicy(Action.ALERT, {"PASWORD": Action.BLOCK}))


def test_tenants_are_named_by_token(read_policy: Any) -> None:
    """A token's name or id leads to its tenant; whoever is not named shares one."""
    policy = read_policy('[tenants]\nsupport = "north"\nt-9 = "south"')
    assert ["north", "south", "default"] == [
        policy.tenant_of(Situation("/add", token_id, name))
        for token_id, name in (("t-1", "support"), ("t-9", "x"), ("t-1", "x"))
    ]


def test_callers_cannot_fill_the_table() -> None:
    """What no rule names counts as the same, however many keys and tokens come."""
    policy = Policy([BOTTOM, PolicyRule(Scope(key_prefix="x/"), "here", 1, Action.MASK)], {})
    rows = {policy.rule_index.row_of(Situation("/add", f"t{n}", f"n{n}", f"k{n}")) for n in range(100)}
    assert {(None, None, None, None)} == rows

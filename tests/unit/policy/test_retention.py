"""The time to live that the policy gives to an entry."""

from collections.abc import Callable

import pytest

from vestibule.policy import Policy

ReadPolicy = Callable[[str], Policy]

RULES = """
[[retention]]
default_ttl_s = 1000

[[retention]]
key_prefixes = ["order:"]
default_ttl_s = 100
max_ttl_s = 200

[[retention]]
entities = ["personal_data"]
max_ttl_s = 50
"""
MAIL = frozenset({"EMAIL_ADDRESS"})


@pytest.mark.parametrize(
    ("key", "entities", "asked_s", "expected_s"),
    [
        ("a", frozenset(), None, 1000),
        ("a", frozenset(), 5000, 5000),
        ("order:1", frozenset(), None, 100),
        ("order:1", frozenset(), 150, 150),
        ("order:1", frozenset(), 300, 200),
        ("an order:1", frozenset(), None, 1000),
        ("a", MAIL, None, 50),
        ("order:1", MAIL, 20, 20),
        ("a", frozenset({"PASSWORD"}), 60, 60),
    ],
)
def test_the_shortest_default_and_the_lowest_ceiling_apply(
    read_policy: ReadPolicy, key: str, entities: frozenset[str], asked_s: float | None, expected_s: float
) -> None:
    """A write without a time gets the default; one above the ceiling is cut to it."""
    retention = read_policy(RULES).retention
    assert retention is not None
    assert expected_s == retention.ttl_of(key, entities, asked_s)


def test_a_ceiling_without_a_default_is_the_default(read_policy: ReadPolicy) -> None:
    """An entry without an end would be above it."""
    retention = read_policy("[[retention]]\nmax_ttl_s = 7").retention
    assert retention is not None
    assert 7 == retention.ttl_of("a", frozenset(), None)
    assert 3 == retention.ttl_of("a", frozenset(), 3)


def test_only_rules_change_the_version(read_policy: ReadPolicy) -> None:
    """A policy without retention has the version that it had; a dry run keeps everything as it came."""
    plain, kept = read_policy(""), read_policy(RULES)
    assert None is plain.retention
    assert plain.version != kept.version
    assert kept.version == read_policy("# mine" + RULES).version
    assert None is read_policy("dry_run = true" + RULES).retention
    assert ["policy.toml, line 2", "policy.toml, line 5", "policy.toml, line 10"] == [
        rule.origin for rule in kept.retention_rules
    ]

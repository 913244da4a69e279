"""What the tests of the policy share: a small vocabulary, and policies from the text of a file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from vestibule.policy import Policy, Vocabulary
from vestibule.policy.policy import FallbackPolicy

ReadPolicy = Callable[..., Policy]


@pytest.fixture
def vocabulary() -> Vocabulary:
    """Four entities, in the groups that the detectors come in."""
    secrets = frozenset({"PASSWORD", "API_KEY"})
    entities = secrets | {"EMAIL_ADDRESS", "US_SSN"}
    groups = {"secrets": secrets, "national_ids": frozenset({"US_SSN"}), "personal_data": entities - secrets}
    return Vocabulary(entities, groups, frozenset({"/add", "/messages"}))


@pytest.fixture
def read_policy(tmp_path: Path, vocabulary: Vocabulary) -> ReadPolicy:
    """Return what reads a policy from text, over settings if any are given."""

    def read(text: str, fallback: FallbackPolicy | None = None) -> Policy:
        path = tmp_path / "policy.toml"
        path.write_text(text)
        return Policy.read(path, vocabulary, fallback)

    return read

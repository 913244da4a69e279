"""The names that a policy may use."""

from vestibule.processor_adapters.detector_vocabulary import read_vocabulary


def test_a_policy_knows_three_groups_of_detectors() -> None:
    """They are those of docs/policy.md; every entity is in one of `secrets` and `personal_data`, and in no two."""
    vocabulary = read_vocabulary()
    groups = vocabulary.groups
    assert {"secrets", "national_ids", "personal_data"} == set(groups)
    assert vocabulary.entities == groups["secrets"] | groups["personal_data"]
    assert frozenset() == groups["secrets"] & groups["personal_data"]
    assert {"US_SSN", "UK_NINO"} <= groups["national_ids"] < groups["personal_data"]

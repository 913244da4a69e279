"""The names of entities: asked for under Presidio's, answered under those."""

import pytest

from vestibule.client_service.compat.presidio.anonymization import EntitySpan, merge_across_spaces, resolve_conflicts
from vestibule.client_service.compat.presidio.names import NOT_SERVED, OURS, THEIRS, asked_entities, supported_names
from vestibule.detection import Scanner


def test_every_name_of_ours_in_the_tables_exists():
    """A detector that is renamed is renamed here; what is said not to be served is not."""
    known = Scanner.from_settings().entities
    assert set() == {name for some in OURS.values() for name in some} - known
    assert set() == THEIRS.keys() - known
    assert set() == NOT_SERVED & known
    assert OURS.keys() | known - THEIRS.keys() == set(supported_names(known))


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ([], {"PASSPORT": "US_PASSPORT", "US_PASSPORT": "US_PASSPORT", "EMAIL_ADDRESS": "EMAIL_ADDRESS"}),
        (["UK_PASSPORT", "US_PASSPORT"], {"PASSPORT": "UK_PASSPORT", "US_PASSPORT": "US_PASSPORT"}),
        (["US_PASSPORT", "PASSPORT"], {"PASSPORT": "PASSPORT", "US_PASSPORT": "US_PASSPORT"}),
    ],
)
def test_a_finding_has_the_name_that_was_asked_for(asked, names):
    """The exact name first, then the first that is close."""
    assert names == asked_entities(asked, {"PASSPORT", "US_PASSPORT", "EMAIL_ADDRESS"}).names


def test_what_is_not_served_is_named_only_if_it_is_known():
    """Any other name is counted: it may hold anything. What a request brings a recognizer for is served."""
    asked = asked_entities(["PERSON", "jane@example.org", "ZIP", "EMAIL_ADDRESS"], {"EMAIL_ADDRESS"}, {"ZIP"})
    assert (("PERSON",), 1) == (asked.unserved, asked.unknown)


def _spans(*given: tuple[int, int, str, float]) -> list[EntitySpan]:
    return [EntitySpan(*one) for one in given]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([(0, 9, "A", 0.5), (2, 5, "B", 0.9)], [(0, 9, "A")]),
        ([(0, 5, "A", 0.5), (0, 5, "B", 0.9)], [(0, 5, "B")]),
        ([(0, 5, "A", 0.5), (0, 5, "B", 0.5)], [(0, 5, "B")]),
        ([(0, 5, "A", 0.5), (3, 9, "A", 0.9)], [(0, 9, "A")]),
        ([(0, 5, "A", 0.5), (5, 9, "A", 0.9)], [(0, 5, "A"), (5, 9, "A")]),
        ([(0, 5, "A", 0.5), (3, 9, "B", 0.9)], [(0, 5, "A"), (3, 9, "B")]),
        ([(0, 3, "A", 0.5), (2, 4, "B", 0.9), (3, 6, "A", 0.5), (2, 5, "A", 0.1)], [(0, 6, "A")]),
    ],
)
def test_conflicts_of_findings(given, kept):
    """One within another is dropped, those of one entity become one, others may overlap."""
    assert kept == [span[:3] for span in resolve_conflicts(_spans(*given))]


def test_findings_of_one_entity_with_spaces_between_become_one():
    """With spaces alone, and of the same entity."""
    spans = _spans((0, 4, "A", 1), (5, 8, "A", 1), (9, 12, "B", 1), (13, 16, "A", 1))
    assert [(0, 8), (9, 12), (13, 16)] == [span[:2] for span in merge_across_spaces("Jane Roe Max Ann", spans)]

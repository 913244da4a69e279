"""The words around a value: the quick way through plain text finds what the thorough one does."""

from hypothesis import given
from hypothesis import strategies as st

from vestibule.detection.context.label_index import LabelIndex, LabelMatches, split_words

LABEL_INDEX = LabelIndex([("ssn", 0), ("phone", 1), ("phone number", 2), ("telefon*", 3), ("call me", 4)])
PIECES = (
    "ssn",
    "SSN",
    "phone",
    "Phone",
    "number",
    "telefonnummer",
    "call",
    "me",
    "customerPhone",
    "12",
    "_",
    " ",
    "-",
    "é",
)


@given(st.one_of(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), st.text(max_size=40)))
def test_quick_way_finds_the_same(text: str) -> None:
    """Labels of a whole text are those among its words, camelCase, digits and accents or not."""
    expected = LABEL_INDEX.labels_among(split_words(text))[::-1]
    assert expected == LABEL_INDEX.find(text)


def test_window_leaves_out_cut_words() -> None:
    """A word that reaches beyond the window is none of its labels."""
    text = "my ssn, telephone"
    reading = LabelMatches(LABEL_INDEX, text)
    assert ["ssn"] == [label.words for label in reading.labels(0, len(text))]
    assert [] == reading.labels(4, 12)

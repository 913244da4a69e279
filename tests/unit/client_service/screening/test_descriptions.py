"""What people are told about a decision."""

from vestibule.client_service.screening.descriptions import name_of


def test_fields_of_a_list_are_counted_from_one() -> None:
    """Others are named as they are, also where their names have the mark of lists."""
    assert ["value", "request (number 1)", "a/b", "a/b (number 12)"] == [
        name_of(field) for field in ("value", "request/0", "a/b", "a/b/11")
    ]

"""What came in is held to the definition of the form."""

import pytest

from vestibule.client_service.forms.values import FormValue, fill
from vestibule.contracts.errors import FormInvalid
from vestibule.policy.forms import FormDefinition

DEFINITION = FormDefinition.model_validate({"fields": {"a": {"max_chars": 5}}, "other_fields": True})


@pytest.mark.parametrize("value", ["123456", 123456, -12345, 1.23456, ["1", 123456]], ids=str)
def test_a_number_is_as_long_as_its_text(value: FormValue) -> None:
    """JSON may send one where a page sends a text; none is longer than its field takes."""
    with pytest.raises(FormInvalid) as refused:
        fill(DEFINITION, {"a": value})
    assert [("a", "too_long")] == [(one["field"], one["kind"]) for one in refused.value.extra["errors"]]  # type: ignore[attr-defined]
    assert {"b": value} == fill(DEFINITION, {"b": value}).values


@pytest.mark.parametrize("value", ["12345", 12345, True, None, [12345, 1.5]], ids=str)
def test_what_fits_is_taken(value: FormValue) -> None:
    """As it came."""
    assert {"a": value} == fill(DEFINITION, {"a": value}).values

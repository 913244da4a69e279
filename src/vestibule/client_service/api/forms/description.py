"""What the description of the API says of the body of a form, in each of its media types."""

from typing import Any

from vestibule.client_service.forms.reading import JSON, MAX_NAME_CHARS, MAX_VALUES, MULTIPART, URLENCODED
from vestibule.contracts.entries import PRINTABLE

_SCALARS = [{"type": kind} for kind in ("string", "number", "boolean", "null")]
_VALUE = {"anyOf": [*_SCALARS, {"type": "array", "items": {"anyOf": _SCALARS}, "maxItems": MAX_VALUES}]}
_NAMES = {"minLength": 1, "maxLength": MAX_NAME_CHARS, "pattern": PRINTABLE}
_EXAMPLE = {"name": "Jane", "message": "Please call back."}


def _content(values: dict[str, Any]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "description": "The fields by their names, as the form is defined in the policy file",
        "propertyNames": _NAMES,
        "additionalProperties": values,
        "minProperties": 1,
        "maxProperties": MAX_VALUES,
    }
    return {"schema": schema, "example": _EXAMPLE}


_TEXT = {"type": "string"}
_TEXTS = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": MAX_VALUES}]}
FORM_BODY: dict[str, Any] = {
    "required": True,
    # A part is one text, and several may have the same name, which no schema can say. From a list openapi-python-client
    # makes code that is none.
    "content": {JSON: _content(_VALUE), URLENCODED: _content(_TEXTS), MULTIPART: _content(_TEXT)},
}

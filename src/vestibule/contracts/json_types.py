"""Types of members of JSON bodies: none is converted from another JSON type, and each fits into every store."""

from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator, Field

# Every JSON implementation is exact up to here (RFC 7493, section 2.2).
MAX_COUNT = 2**53 - 1
# The end of the year 9999, the last that a timestamp can name.
LAST_TIME = 253_402_300_799


def either(*names: str) -> dict[str, Any]:
    """Return the JSON Schema of an object that has exactly one of these members; null is as good as absent."""
    return {"oneOf": [_has(name, *(other for other in names if other != name)) for name in names]}


def not_both(*names: str) -> dict[str, Any]:
    """Return the JSON Schema of an object that does not have all of these members; null is as good as absent."""
    return {"not": {"required": list(names), "properties": {name: {"not": {"type": "null"}} for name in names}}}


def _has(name: str, *absent: str) -> dict[str, Any]:
    members = {name: {"not": {"type": "null"}}} | {other: {"type": "null"} for other in absent}
    return {"required": [name], "properties": members}


def _no_other_type(value: Any) -> Any:
    if isinstance(value, bool | str):
        raise ValueError("must be an integer")
    return value


def _no_number(value: Any) -> Any:
    # A number, also as text, would be taken as seconds since 1970.
    if isinstance(value, int | float) or (isinstance(value, str) and ":" not in value):
        raise ValueError("must be a date and time with a time zone, as in RFC 3339")
    return value


# An integer, also as 1.0, which JSON Schema takes for one.
Integer = Annotated[int, BeforeValidator(_no_other_type)]
# The bounds stand before the validator: after it they would be no `minimum` and `maximum` in the schema.
Count = Annotated[int, Field(ge=0, le=MAX_COUNT), BeforeValidator(_no_other_type)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Flag = Annotated[bool, Field(strict=True)]
# Seconds from now; as a Unix time they end before `LAST_TIME`.
Seconds = Annotated[Number, Field(ge=0, le=100 * 366 * 86_400)]
UnixTime = Annotated[Number, Field(ge=0, le=LAST_TIME)]
Timestamp = Annotated[AwareDatetime, BeforeValidator(_no_number)]

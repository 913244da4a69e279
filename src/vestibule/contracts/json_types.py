"""Types of members of JSON bodies: none is converted from another JSON type, and each fits into every store."""

from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator, Field

# Every JSON implementation is exact up to here (RFC 7493, section 2.2).
MAX_COUNT = 2**53 - 1
# The end of the year 9999, the last that a timestamp can name.
LAST_TIME = 253_402_300_799


# Conditions stand in `allOf`: beside `properties`, a `oneOf` makes generators of clients take each of its forms for a
# type of its own, without the other members.
def either(*names: str) -> dict[str, Any]:
    """Return the JSON Schema of an object that has exactly one of these members; null is as good as absent."""
    return {"allOf": [{"oneOf": [_has(name, *(other for other in names if other != name)) for name in names]}]}


def not_both(*names: str) -> dict[str, Any]:
    """Return the JSON Schema of an object that does not have all of these members; null is as good as absent."""
    return {"not": {"required": list(names), "properties": {name: {"not": {"type": "null"}} for name in names}}}


def any_of(*names: str, **alternatives: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of an object that has one of these members, or a member that matches its alternative."""
    others = [{"required": [name], "properties": {name: schema}} for name, schema in alternatives.items()]
    return {"allOf": [{"anyOf": [*map(_has, names), *others]}]}


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


# Makes an `int` an integer of JSON, also as 1.0, which JSON Schema takes for one. Its bounds stand before it, as in
# `Annotated[int, Field(ge=1), AS_INTEGER]`: after it they would be no `minimum` and `maximum` in the schema.
AS_INTEGER = BeforeValidator(_no_other_type)
Integer = Annotated[int, AS_INTEGER]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT), AS_INTEGER]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Flag = Annotated[bool, Field(strict=True)]
# Seconds from now; as a Unix time they end before `LAST_TIME`.
Seconds = Annotated[Number, Field(ge=0, le=100 * 366 * 86_400)]
UnixTime = Annotated[Number, Field(ge=0, le=LAST_TIME)]
Timestamp = Annotated[AwareDatetime, BeforeValidator(_no_number)]

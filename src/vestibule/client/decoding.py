"""JSON as results: frozen dataclasses that ignore members which they do not know."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, cast, dataclass_transform, get_args, get_origin

from vestibule.client.errors import UnexpectedAnswer

T = TypeVar("T")
Read = Callable[[Any], Any]
# The key in the metadata of a field whose member has another name.
MEMBER = "member"


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def result(kind: type[T]) -> type[T]:
    """Make a frozen dataclass with slots, whose methods are those of `Result`.

    The usual decorator compiles six methods for each class, which takes eight times as long. A command loads dozens.
    """
    return dataclass(slots=True, kw_only=True, init=False, repr=False, eq=False, match_args=False)(kind)


@result
class Result:
    """What a service answered; `raw` is the JSON object as it came, with members that this version does not know."""

    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __init__(self, **members: Any) -> None:
        """Take each field that has no default, and others. Raises: TypeError, for an unknown or a missing one."""
        for one in fields(self):
            if one.name in members:
                value = members.pop(one.name)
            elif one.default is not MISSING:
                value = one.default
            elif one.default_factory is not MISSING:
                value = one.default_factory()
            else:
                raise TypeError(f"{type(self).__name__} needs {one.name}")
            object.__setattr__(self, one.name, value)
        if members:
            raise TypeError(f"{type(self).__name__} has no {', '.join(members)}")

    def __setattr__(self, name: str, _value: Any) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __repr__(self) -> str:
        shown = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)
        return f"{type(self).__name__}({shown})"

    def _compared(self) -> tuple[Any, ...]:
        return tuple(getattr(self, one.name) for one in fields(self) if one.compare)

    def __eq__(self, other: object) -> bool:
        return self._compared() == other._compared() if type(self) is type(other) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._compared())

    def __getstate__(self) -> dict[str, Any]:
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)


def decode(kind: type[T], value: Any) -> T:
    """Return JSON as a result, or as another type that results have.

    Raises:
        UnexpectedAnswer: a member is absent or of another type.
    """
    try:
        return cast(T, _reader(cast(Hashable, kind))(value))
    except (KeyError, TypeError, ValueError) as error:
        place = error.args[0] if error.args else ""
        detail = f"The answer is not of this version of Vestibule: {kind.__name__} differs at {place}."
    raise UnexpectedAnswer(detail)


@cache
def _reader(kind: Any) -> Read:
    if kind is Any or kind is datetime:
        return _as_is if kind is Any else datetime.fromisoformat
    if isinstance(kind, UnionType):
        return _reader_of_optional(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is not None:
        return _reader_of_list(_reader(arguments[0])) if origin is list else _reader_of_dict(_reader(arguments[1]))
    return _reader_of_result(kind) if issubclass(kind, Result) else _reader_of_scalar(kind)


def _as_is(value: Any) -> Any:
    return value


def _reader_of_scalar(kind: type) -> Read:
    # JSON has one type of number, and Python's `bool` is an `int`.
    allowed = (int, float) if kind is float else (kind,)

    def read(value: Any) -> Any:
        if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
            raise TypeError(kind.__name__)
        return value

    return read


def _reader_of_optional(kind: UnionType) -> Read:
    (inner,) = (one for one in get_args(kind) if one is not NoneType)
    read_inner = _reader(inner)
    return lambda value: None if value is None else read_inner(value)


def _reader_of_list(read: Read) -> Read:
    def read_list(value: Any) -> Any:
        if not isinstance(value, list):
            raise TypeError("list")
        return [read(one) for one in value]

    return read_list


def _reader_of_dict(read: Read) -> Read:
    def read_dict(value: Any) -> Any:
        if not isinstance(value, dict):
            raise TypeError("dict")
        return {name: read(one) for name, one in value.items()}

    return read_dict


def _reader_of_result(kind: type[Result]) -> Read:
    members = [
        (one.name, one.metadata.get(MEMBER, one.name), _reader(cast(Hashable, one.type)), _is_required(one))
        for one in fields(kind)
        if one.name != "raw"
    ]

    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise TypeError(kind.__name__)
        given = {}
        for name, member, read_member, is_required in members:
            if member in value:
                try:
                    given[name] = read_member(value[member])
                except (TypeError, ValueError):
                    # Not with what came: it may be data.
                    raise TypeError(f"{kind.__name__}.{member}") from None
            elif is_required:
                raise KeyError(f"{kind.__name__}.{member}")
        return kind(**given, raw=value)

    return read


def _is_required(one: Any) -> bool:
    return one.default is MISSING and one.default_factory is MISSING

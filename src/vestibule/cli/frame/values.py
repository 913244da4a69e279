"""Converts the words of a command line to the types of options, for the types that commands have.

typer does it with pydantic, whose import takes as long as all else that a short command does. A type that is not listed
here, and a path with conditions, is left to typer.
"""

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

import typer
from typer.core import TyperCommand

Convert = Callable[[Any], Any]
_NUMBERS = {int: "a whole number", float: "a number"}
_TRUE, _FALSE = ("1", "true", "yes", "on", "t", "y"), ("0", "false", "no", "off", "f", "n")
_CONDITIONS = ("exists", "resolve_path", "writable")


class QuickValue(NamedTuple):
    """The conversion of one option or argument, in place of that of typer."""

    convert: Convert

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value that the command gets. Raises: typer.BadParameter, with the option."""
        is_multiple = param.multiple or param.nargs != 1
        if value is None:
            return () if is_multiple else None
        try:
            return [self.convert(one) for one in value] if is_multiple else self.convert(value)
        except typer.BadParameter as refusal:
            refusal.param, refusal.ctx = refusal.param or param, refusal.ctx or ctx
            raise


class QuickOptions:
    """A command of typer whose options and arguments are converted here; stands before the class of the command."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options and arguments, also `--help`."""
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            if param._runtime_param is None and (convert := _converter(param.type_descriptor)) is not None:
                # typer builds its own where this is None, when the command runs.
                param._runtime_param = QuickValue(convert)
        return params


class QuickCommand(QuickOptions, TyperCommand):
    """A command without commands below."""


def _converter(descriptor: Any) -> Convert | None:
    settings, kind = descriptor.parameter_info, descriptor.annotation
    if settings.parser is not None:
        parse = settings.parser
        return lambda value: parse(value) if isinstance(value, str) else value
    (kind, *others) = [one for one in _alternatives(kind) if one is not NoneType]
    if get_origin(kind) is list:
        (kind,) = get_args(kind)
    if others or not isinstance(kind, type):
        return None
    if kind in _NUMBERS:
        return _number_of(kind, settings.min, settings.max)
    if issubclass(kind, Path) and not any(getattr(settings, name, False) for name in _CONDITIONS):
        return kind
    if issubclass(kind, Enum):
        return _member_of(kind)
    quick: dict[type, Convert] = {str: str, bool: _bool_of}
    return quick.get(kind)


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _number_of(kind: type, least: float | None, most: float | None) -> Convert:
    def convert(value: Any) -> Any:
        try:
            number = kind(value)
        except (ValueError, OverflowError):
            raise typer.BadParameter(f"must be {_NUMBERS[kind]}") from None
        # Not a number is in no range.
        if (least is not None and not number >= least) or (most is not None and not number <= most):
            bounds = [
                f"at least {least:g}" if least is not None else "",
                f"at most {most:g}" if most is not None else "",
            ]
            raise typer.BadParameter(f"must be {' and '.join(filter(None, bounds))}")
        return number

    return convert


def _member_of(kind: type[Enum]) -> Convert:
    def convert(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        members = {str(member.value): member for member in kind}
        if value not in members:
            raise typer.BadParameter(f"{value!r} is not one of {', '.join(members)}")
        return members[value]

    return convert


def _bool_of(value: Any) -> bool:
    word = str(value).lower()
    if word not in (*_TRUE, *_FALSE):
        raise typer.BadParameter("must be true or false")
    return word in _TRUE

"""Says where a service found a mistake in words of the command line: an option or argument, and what is expected."""

import re
from collections.abc import Mapping
from typing import Any

from typer._click.globals import get_current_context

# Options whose names differ from those of the API.
_OPTIONS = {
    "q": ("--search",),
    "hours": ("--for",),
    "days": ("--since",),
    "token": ("--by", "--token-id"),
    "expires_in_s": ("--expires-in",),
    "scopes": ("--scope",),
    "every_s": ("--every",),
}
_PATTERN = re.compile(r"String should match pattern '.*'", re.DOTALL)
# What an id, a cursor or a name looks like is nothing that people know; a list or the help shows what there is.
_OF_PATTERN = "must be as a list or the help shows it"
_INSTEAD = {"Field required": "required"}


def told_mistake(mistake: Mapping[str, Any]) -> str:
    """Return a mistake of a problem document as a line: the option or argument, and what is expected there."""
    where = str(mistake.get("where") or "")
    expected = str(mistake.get("expected") or "")
    expected = _PATTERN.sub(_OF_PATTERN, _INSTEAD.get(expected, expected))
    return f"{_word_of(where)}: {expected}"


def _word_of(where: str) -> str:
    """Return the option or argument of the running command for a place of a request; the place if there is none."""
    context = get_current_context(silent=True)
    if context is None:
        return where
    name = where.split("/", 1)[-1]
    wanted = _OPTIONS.get(name, (f"--{name.removesuffix('_s').replace('_', '-')}",))
    for param in context.command.params:
        if param.param_type_name == "option" and any(option in param.opts for option in wanted):
            return param.opts[0]
        if param.param_type_name == "argument" and name in (param.name, *_names_of(param.name)):
            return str(param.metavar or param.name).upper()
    return where


def _names_of(argument: str | None) -> tuple[str, ...]:
    # An argument that is an id of any kind of job.
    return ("erasure_id", "find_id", "trace_id") if argument in ("job_id", "erasure_id", "wanted") else ()

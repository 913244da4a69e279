"""Colours of a terminal, where it has some and the environment allows them."""

import os
from enum import StrEnum
from typing import TextIO


class Style(StrEnum):
    """The styles of text, as the parameters of an ANSI sequence."""

    GOOD = "32"
    BAD = "31"
    WARNING = "33"
    ACTIVE = "36"
    FAINT = "2"
    HEADER = "1"


# The states and severities of all kinds of things. What is not listed has no colour.
_STYLES = {
    Style.GOOD: "succeeded up alive delivered resolved done active ok whole ready",
    Style.BAD: "failed dead down missed missing critical error block blocked refused lost",
    Style.WARNING: "queued degraded warning paused acknowledged late slow stopped scheduled retrying",
    Style.ACTIVE: "running open started",
    Style.FAINT: "cancelled ended expired retired unknown off",
}
STATE_STYLES = {word: style for style, words in _STYLES.items() for word in words.split()}


def has_colour(stream: TextIO) -> bool:
    """Return whether to colour what goes to `stream`.

    `NO_COLOR` forbids it, `FORCE_COLOR` and `CLICOLOR_FORCE` demand it; otherwise a terminal has colours, unless
    `CLICOLOR=0` or `TERM=dumb` says that it has none. Sources: https://no-color.org, https://bixense.com/clicolors.
    """
    environment = os.environ
    if environment.get("NO_COLOR"):
        return False
    if any(environment.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return stream.isatty() and environment.get("CLICOLOR") != "0" and environment.get("TERM") != "dumb"


def painted(text: str, style: Style | None) -> str:
    """Return `text` in a style."""
    return f"\x1b[{style.value}m{text}\x1b[0m" if style and text else text

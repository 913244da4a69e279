"""Writes expressions of Python as RE2 has them."""

import re

_ESCAPED_OR_CLASS = re.compile(r"(\\.|\[\^?\]?(?:\\.|[^\]\\])*\])", re.DOTALL)
_FEWEST_MISSING = re.compile(r"\{,(\d+)\}")
_UNICODE = re.compile(r"(?<!\\)((?:\\\\)*)\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))")
_REFERENCE = re.compile(r"(?<!\\)(?:\\\\)*(\\[1-9])(?!\d)")
_CAPTURE = re.compile(r"\((?!\?(?!P<))")
# A group of up to six characters, none of them a range; a dash stands at an end.
_FEW = re.compile(r"\(\[(-?[^\\\]^-]{1,5}-?)\]\)")
_BEHIND = "(?<="
_ONE_CHARACTER = re.compile(r"(?:\\[^\d]|\[\^?\]?(?:\\.|[^\]\\])+\]|[^\\\[\](){}?*+|.^$])", re.DOTALL)
_AHEAD_AT_END = re.compile(r"\(\?[=!](?:\\.|\[\^?\]?(?:\\.|[^\]\\])+\]|[^\\()\[\]])\)$", re.DOTALL)
LABELLED = "what it looks for before the value is read as a part of the match"


def as_re2(expression: str) -> tuple[str, list[str]]:
    """Return an expression as RE2 has it, and what is different then.

    A lookbehind of more than a character at the start becomes a part of the match, and the group `value` the rest.
    """
    parts = _ESCAPED_OR_CLASS.split(expression)
    # Every second part is an escape or a class.
    parts[::2] = [_FEWEST_MISSING.sub(r"{0,\1}", part) for part in parts[::2]]
    written = _UNICODE.sub(lambda found: rf"{found[1]}\x{{{found[2] or found[3]}}}", "".join(parts))
    return _without_lookbehind(_without_back_reference(written))


def _without_back_reference(expression: str) -> str:
    """Write `([- ])x\\1` as `(?:([-])x[-]|([ ])x[ ])`: the same, for a group of a few characters."""
    references = set(_REFERENCE.findall(expression))
    plain = _ESCAPED_OR_CLASS.sub(lambda found: "_" * len(found[0]), expression)
    groups = [found.start() for found in _CAPTURE.finditer(plain)]
    if len(references) != 1 or not 0 < (number := int(references.pop()[1:])) <= len(groups):
        return expression
    place = groups[number - 1]
    few = _FEW.match(expression, place)
    if few is None:
        return expression
    before, after = expression[:place], expression[few.end() :]
    written = (
        f"{before}([{one}])" + _REFERENCE.sub(lambda _, one=one: f"[{one}]", after)  # type: ignore[misc]
        for one in (re.escape(character) for character in few[1])
    )
    return f"(?:{'|'.join(written)})"


def _without_lookbehind(expression: str) -> tuple[str, list[str]]:
    if not expression.startswith(_BEHIND):
        return expression, []
    closed, branches = _outline(expression)
    inner, rest = expression[len(_BEHIND) : closed], expression[closed + 1 :]
    if closed < 0 or branches or "(?P<value>" in rest or _ONE_CHARACTER.fullmatch(inner):
        return expression, []
    end = _AHEAD_AT_END.search(rest)
    value, ahead = (rest[: end.start()], end[0]) if end else (rest, "")
    return f"(?:{inner})(?P<value>{value}){ahead}", [LABELLED]


def _outline(expression: str) -> tuple[int, bool]:
    """Return where the first group ends, -1 where it does not, and whether there are branches outside of groups."""
    plain = _ESCAPED_OR_CLASS.sub(lambda found: "_" * len(found[0]), expression)
    depth, closed = 0, -1
    for at, character in enumerate(plain):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0 and closed < 0:
            closed = at
        if character == "|" and depth == 0:
            return closed, True
    return closed, False

"""`vestibule scan --jsonl`: one answer a line, in order, each before the next line is read."""

import json
import sys
from collections.abc import Callable, Sequence

from vestibule.detection import DetectionError, Explanation, Finding, Scanner
from vestibule.detection import redact as redacted

DONE, REFUSED, MALFORMED = 0, 1, 2
Find = Callable[..., Sequence[Finding | Explanation]]


def answer_lines(scanner: Scanner, key: str | None, *, with_reasons: bool, redact: bool) -> int:
    """Answer standard input line by line; the exit code says what the worst line was."""
    import orjson

    out = sys.stdout.buffer
    worst = DONE
    find: Find = scanner.explain if with_reasons else scanner.scan
    for line in sys.stdin.buffer:
        if not line.strip():
            continue
        answer, code = _answer(find, line, key, redact)
        worst = max(worst, code)
        out.write(orjson.dumps(answer) + b"\n")
        # The other side may wait for this answer before it sends the next line.
        out.flush()
    return worst


def _answer(find: Find, line: bytes, key: str | None, redact: bool) -> tuple[dict[str, object], int]:
    try:
        # The standard parser takes what orjson refuses: lone surrogates written as escapes.
        asked = json.loads(line)
        text, field = asked["text"], asked.get("key", key)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _unanswered("malformed", 'not {"text": ..., "key": ...}'), MALFORMED
    if not isinstance(text, str) or not isinstance(field, str | None):
        return _unanswered("malformed", "text and key must be strings"), MALFORMED
    try:
        found = find(text, key=field)
    except DetectionError as refusal:
        return _unanswered("refused", str(refusal)), REFUSED
    answer: dict[str, object] = {"findings": [finding.as_dict() for finding in found]}
    if redact:
        shown = redacted(text, [one.finding if isinstance(one, Explanation) else one for one in found])
        answer["text"] = shown.encode("utf-8", "replace").decode()
    return answer, DONE


def _unanswered(name: str, reason: str) -> dict[str, object]:
    return {"findings": None, name: reason}

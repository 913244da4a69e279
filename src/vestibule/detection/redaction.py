"""Redacts findings: replaces each by the name of its entity."""

from collections.abc import Iterable

from vestibule.detection.finding import Finding


def redact(text: str, findings: Iterable[Finding]) -> str:
    """Put `<ENTITY>` in place of each finding; findings that overlap become one, named after the surest."""
    parts: list[str] = []
    at = 0
    for start, end, entity in _merge(findings):
        parts += text[at:start], f"<{entity}>"
        at = end
    return "".join([*parts, text[at:]])


def _merge(findings: Iterable[Finding]) -> list[tuple[int, int, str]]:
    merged: list[Finding] = []
    for finding in sorted(findings, key=lambda f: (f.start, -f.end)):
        if merged and finding.start < merged[-1].end:
            last = merged[-1]
            surest = max(last, finding, key=lambda f: f.score)
            merged[-1] = surest._replace(start=last.start, end=max(last.end, finding.end))
        else:
            merged.append(finding)
    return [(f.start, f.end, f.entity) for f in merged]

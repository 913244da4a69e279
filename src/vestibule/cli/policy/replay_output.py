"""The options and the output of `vestibule policy replay`."""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections import Counter

    from vestibule.policy import Action
    from vestibule.policy.evaluation import Replay


def moment_of(since: str) -> datetime:
    """Return the moment that `30d`, `12h`, `2w` or a date means."""
    units = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
    if found := re.fullmatch(r"(\d{1,5})([hdw])", since):
        return datetime.now(UTC) - int(found.group(1)) * units[found.group(2)]
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        raise typer.BadParameter("say 30d, 12h, 2w or a date", param_hint="--since") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def lines_of(result: "Replay", version: str) -> list[str]:
    """Return the table of what each entity got, now and then, and the sum."""
    lines = [f"{'entity':28} {'findings':>8}  {'now':34} then, by policy {version}"]
    for entity, comparison in sorted(result.by_entity.items()):
        now, then = _counts(comparison.now), _counts(comparison.then)
        mark = "" if comparison.now == comparison.then else "  *"
        lines.append(f"{entity:28} {comparison.findings:8}  {now:34} {then}{mark}")
    lines.append(
        f"{result.requests} requests with findings: {result.blocked_now} blocked now, {result.blocked_then} then; "
        f"{result.clean} clean ones."
    )
    return lines


def as_dict(result: "Replay", version: str) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "policy": version,
        "requests": result.requests,
        "clean": result.clean,
        "blocked": {"now": result.blocked_now, "then": result.blocked_then},
        "entities": {
            entity: {"findings": one.findings, "now": dict(one.now), "then": dict(one.then)}
            for entity, one in sorted(result.by_entity.items())
        },
    }


def _counts(counts: "Counter[Action]") -> str:
    return ", ".join(f"{action} {count}" for action, count in counts.most_common())

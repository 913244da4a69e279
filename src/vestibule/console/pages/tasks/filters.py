"""The filters of tasks as they stand in an address or a form, and as the API takes them."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from vestibule.console.views.moments import moment_of
from vestibule.contracts.errors import InvalidInput
from vestibule.contracts.tasks import Cause, TaskState

SECONDS = {"": 1, "s": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
DURATION = re.compile(rf"(\d{{1,9}}(?:\.\d{{1,3}})?)\s*({'|'.join(SECONDS)})")
STATES: Sequence[str] = [
    TaskState.QUEUED,
    TaskState.RUNNING,
    TaskState.RETRYING,
    TaskState.SUCCEEDED,
    TaskState.FAILED,
    TaskState.DEAD,
    TaskState.CANCELLED,
]
CAUSES: Sequence[str] = [*Cause, "http_503", "http_429"]
# What can be done to many tasks, and to those in which states.
ACTIONS = {
    "retry": ("failed", "dead", "cancelled"),
    "cancel": ("queued", "running", "retrying"),
    "drop": ("dead",),
}


class TaskFilters(BaseModel):
    """Filters of tasks as texts; an empty one is none."""

    state: str = ""
    processor: str = ""
    cause: str = ""
    token: str = ""
    key: str = ""
    older_than: str = ""
    due_before: str = ""
    all_tenants: str = ""

    @property
    def members(self) -> dict[str, str]:
        """The filters that are set, as the members of an address."""
        names = TaskFilters.model_fields
        return {name: value for name in names if (value := getattr(self, name).strip())}

    @property
    def is_of_all(self) -> bool:
        """Whether tasks of all tenants are meant."""
        return bool(self.all_tenants)

    @property
    def actions(self) -> list[str]:
        """What can be done to tasks that these filters find."""
        return [action for action, states in ACTIONS.items() if not self.state or self.state in states]

    @property
    def in_words(self) -> list[tuple[str, str]]:
        """The filters for people, each with its name."""
        names = {"older_than": "older than", "due_before": "due before", "all_tenants": "tenants"}
        shown = {**self.members, **({"all_tenants": "all"} if self.is_of_all else {})}
        return [(names.get(name, name), value) for name, value in shown.items()]

    def chosen(self) -> dict[str, Any]:
        """Return the filters as the client takes them. Raises: InvalidInput, if a time is none."""
        return {
            "state": self.state or None,
            "processor": self.processor.strip() or None,
            "cause": self.cause.strip() or None,
            "token": self.token.strip() or None,
            "key": self.key.strip() or None,
            "older_than_s": seconds_of("older_than", self.older_than),
            "due_before": moment_of(self.due_before.strip(), "due_before"),
            "all_tenants": self.is_of_all,
        }


class TaskListQuery(TaskFilters):
    """The address of a page of tasks."""

    cursor: str = ""


def seconds_of(name: str, text: str) -> float | None:
    """Return a time span such as `90`, `15 min` or `2h` in seconds; None for an empty one. Raises: InvalidInput."""
    text = text.strip()
    if not text:
        return None
    found = DURATION.fullmatch(text)
    if found is None:
        raise mistake(name, "must be a time span such as 90 s, 15 min, 2 h or 1 d")
    return float(found[1]) * SECONDS[found[2]]


def mistake(name: str, expected: str) -> InvalidInput:
    """Return the error of a field whose text means nothing."""
    return InvalidInput("A field is not valid.", errors=[{"where": name.replace("_", " "), "expected": expected}])

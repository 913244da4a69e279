"""Schedules of recurring tasks and their progress, shared by the client service and the scheduler."""

import hashlib
from typing import Annotated, Self
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vestibule.contracts.entries import Key
from vestibule.contracts.identity import Principal
from vestibule.contracts.json_types import Number, either
from vestibule.contracts.tasks import NO_TERMS, Priority, WorkTerms

# The owner of schedules in the store; no caller has this tenant.
OWNER = Principal("~schedules")
SCHEDULES, PROGRESS, RUNS = "schedule/", "progress/", "runs/"
MOST_OF_A_TENANT = 200
SHORTEST_S = 1.0
LONGEST_S = 366 * 86_400.0
ID_PATTERN = r"^[0-9a-f]{32}$"

EverySeconds = Annotated[Number, Field(ge=SHORTEST_S, le=LONGEST_S)]


class Times(BaseModel):
    """When something recurs: by a cron expression in a time zone, or at an interval in seconds."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=either("cron", "every_s"))

    cron: str | None = Field(
        default=None,
        max_length=200,
        description="Five fields as in crontab(5): minute, hour, day, month, weekday (0 and 7 are Sunday), or a "
        "name such as `@daily`",
        examples=["30 6 * * 1-5"],
    )
    every_s: EverySeconds | None = Field(
        default=None, description="Seconds from one run to the next, instead of `cron`"
    )
    timezone: str = Field(
        default="UTC", max_length=100, description="The zone of `cron`, by its IANA name", examples=["Europe/Berlin"]
    )

    @model_validator(mode="after")
    def _check_times(self) -> Self:
        if (self.cron is None) == (self.every_s is None):
            raise ValueError("must have exactly one of `cron` and `every_s`")
        return self


class Schedule(Times):
    """A task that recurs. Its data is stored here, or read from `key` at each run."""

    schedule_id: str = Field(pattern=ID_PATTERN)
    tenant: str
    processor: str
    priority: Priority = Priority.NORMAL
    data: str | None = None
    key: Key | None = None
    terms: WorkTerms = NO_TERMS
    created_at: float
    author: str = Field(description="The name of the token that created it")
    paused_at: float | None = Field(default=None, description="Since when it does not fire; None: it does")
    paused_by: str | None = Field(default=None, description="The name of the token that paused it")

    @property
    def place(self) -> str:
        """The key below a prefix, beside the other schedules of the tenant."""
        return place_of(self.tenant) + self.schedule_id

    def task_id(self, turn: str) -> str:
        """Return the id of the task of one run; the same run has the same id."""
        return str(uuid5(uuid5(NAMESPACE_URL, f"urn:vestibule:schedule:{self.schedule_id}"), turn))


class Progress(BaseModel):
    """Progress of a schedule: time and number of its last run, and the task of that run."""

    turn_at: float
    turns: int
    task_id: str | None = Field(default=None, description="None if the key had no entry")
    resumed_at: float | None = Field(default=None, description="When it was resumed, if that was after the last run")

    @property
    def counts_from(self) -> float:
        """The time from which the next run counts: what was missed in a pause is not made up for."""
        return self.turn_at if self.resumed_at is None else self.resumed_at


class ManualRuns(BaseModel):
    """The runs of a schedule that callers asked for, apart from its progress, which only the scheduler counts on."""

    runs: int
    at: float
    task_id: str


def place_of(tenant: str) -> str:
    """Return the prefix of the keys of a tenant's schedules."""
    return hashlib.sha256(tenant.encode()).hexdigest()[:32] + "/"


def is_schedule_id(text: str) -> bool:
    """Return whether the text is a well-formed schedule id."""
    try:
        return UUID(hex=text).hex == text
    except ValueError:
        return False

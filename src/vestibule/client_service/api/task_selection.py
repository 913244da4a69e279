"""Which tasks are meant: the same filters for lists and for actions on many tasks."""

import time
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from vestibule.client_service.api.wiring import ClientWiring
from vestibule.contracts.entries import Key
from vestibule.contracts.identity import OPERATOR, SENDER_PATTERN
from vestibule.contracts.json_types import Flag, Seconds, Timestamp
from vestibule.contracts.task_ledger import TaskFilter
from vestibule.contracts.tasks import CAUSE_PATTERN, TaskState
from vestibule.service_kit.auth.authentication import Caller

PROCESSOR_PATTERN = r"^[a-z][a-z0-9_]{0,63}$"
MAX_STATES = len(TaskState)

OF_ALL = "Those of all tenants; needs the scope `operator`"
StateList = Annotated[list[TaskState] | None, Query(description="Only those in one of these states")]
AllTenants = Annotated[bool, Query(description=OF_ALL)]


class TaskSelection(BaseModel):
    """Which tasks are meant; those that meet all members that are given."""

    model_config = ConfigDict(extra="forbid")

    state: list[TaskState] | None = Field(default=None, max_length=MAX_STATES, description="In one of these states")
    processor: str | None = Field(default=None, pattern=PROCESSOR_PATTERN, examples=["uppercase"])
    token: str | None = Field(
        default=None, pattern=f"^{SENDER_PATTERN}$", description="The id of their caller's token", examples=["5f3a9c21"]
    )
    key: Key | None = Field(default=None, description="The key, of your tenant, that their data came from")
    cause: str | None = Field(default=None, pattern=CAUSE_PATTERN, description="The cause of their last failure")
    older_than_s: Seconds | None = Field(default=None, description="Submitted at least so many seconds ago")
    due_before: Timestamp | None = Field(default=None, description="Waiting for a time before this one")
    all_tenants: Flag = Field(default=False, description=OF_ALL)

    async def resolve(self, wiring: ClientWiring, caller: Caller) -> TaskFilter:
        """Return the filter for the ledger.

        Raises:
            ScopeMissing: the caller asks for the tasks of all tenants, and may not see them.
        """
        if self.all_tenants:
            await wiring.authenticator.require(caller, OPERATOR)
        return TaskFilter(
            tenant=None if self.all_tenants else caller.tenant,
            states=sorted(set(self.state or [])),
            processor=self.processor,
            token_id=self.token,
            key_digests=None if self.key is None else wiring.task_service.digests_of(self.key, caller.tenant),
            cause=self.cause,
            submitted_before=None if self.older_than_s is None else max(0.0, time.time() - self.older_than_s),
            due_before=None if self.due_before is None else max(0.0, self.due_before.timestamp()),
        )

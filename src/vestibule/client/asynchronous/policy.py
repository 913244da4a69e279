"""The policy in force, drafts of it, and allowances."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from vestibule.client.asynchronous.resource import AsyncPages, AsyncResource
from vestibule.client.calls import Call
from vestibule.client.results.policy import Allowance, DraftCheck, PolicyRule, PolicyState, Replay, SampleRun


class AsyncPolicy(AsyncResource):
    """The policy. It changes with its file alone; drafts are tried and not kept."""

    def get(self, *, page_size: int | None = None, cursor: str | None = None) -> AsyncPages[PolicyState, PolicyRule]:
        """Return the policy in force: its rules in the order of precedence, 1,000 at most on a page."""
        call = Call("get_policy", query={"limit": page_size, "cursor": cursor})
        return AsyncPages(self, call, PolicyState, lambda page: page.rules)

    async def check(self, policy: str) -> DraftCheck:
        """Say whether a draft, as TOML, is valid, or where its first mistake is."""
        return await self._result(Call("check_policy", body={"policy": policy}), DraftCheck)

    async def test(self, samples: Sequence[Mapping[str, Any]], *, policy: str | None = None) -> SampleRun:
        """Scan sample texts, and compare what a draft decides on them with what is expected.

        Args:
            samples: up to 200 objects with `text` and `expect`, and where wanted `key`, `route` and `token`.
            policy: the draft; else the policy in force.
        """
        return await self._result(Call("test_policy", body={"policy": policy, "samples": samples}), SampleRun)

    async def replay(self, *, policy: str | None = None, days: int | None = None) -> Replay:
        """Replay a draft, or the policy in force, on the recorded decisions of some days; 30 by default."""
        return await self._result(Call("replay_policy", body={"policy": policy, "days": days}), Replay)


class AsyncAllowances(AsyncResource):
    """Allowances: values that pass though they are found."""

    async def list(self, *, ended: bool = False) -> Sequence[Allowance]:
        """Return the allowances in force, the latest end first; with `ended` those that have ended, too."""
        return await self._result(Call("list_allowances", query={"ended": ended}), list[Allowance])

    async def add(
        self,
        *,
        reason: str,
        alert_id: str | None = None,
        fingerprint: str | None = None,
        entity: str | None = None,
        hours: float | None = None,
        until: datetime | None = None,
        secret: bool = False,
    ) -> Allowance:
        """Let the value of an alert, or one by fingerprint and entity, pass for some hours or until a time.

        Raises:
            AlertNotFound: no alert has that id.
            TooManyAllowances: the tenant has as many as it may.
        """
        body = {
            "alert_id": alert_id,
            "fingerprint": fingerprint,
            "entity": entity,
            "reason": reason,
            "hours": hours,
            "until": until,
            "secret": secret,
        }
        return await self._result(Call("add_allowance", body=body), Allowance)

    async def revoke(self, allowance_id: str) -> Allowance:
        """Revoke an allowance. Raises: AllowanceNotFound, if none in force has that id."""
        call = Call("revoke_allowance", path={"allowance_id": allowance_id})
        return await self._result(call, Allowance)

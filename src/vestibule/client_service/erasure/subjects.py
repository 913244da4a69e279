"""Requests to find or erase a subject: the reason is screened, and the act is alerted before it begins."""

from dataclasses import dataclass

from vestibule.alerts import AlertEngine, AlertType, current_origin
from vestibule.client_service.erasure.job import Erasure
from vestibule.client_service.erasure.records import ErasureRecord
from vestibule.client_service.screening.screener import Screener
from vestibule.contracts.audit import Act
from vestibule.contracts.errors import ErasureNotFound, Unavailable
from vestibule.contracts.identity import Principal
from vestibule.service_kit.audit.acts import note_act


@dataclass(frozen=True, slots=True)
class SubjectService:
    """Finds and erases subjects for callers. `finds` runs searches and `erasure` erasures, in the same way."""

    screener: Screener
    alerts: AlertEngine
    erasure: Erasure
    finds: Erasure

    async def find(self, value: str, reason: str, caller: Principal, *, is_dry_run: bool = False) -> ErasureRecord:
        """Find where `value` stands, and return the record when the search has ended, or after two seconds.

        Raises:
            InvalidInput: there is too little to search for.
            PersonalDataFound: the reason, which is stored, contains personal data.
            ErasureInProgress: another search of the tenant does not end in that time.
            Unavailable: the alert cannot be recorded, so nothing is searched; or a service does not answer.
        """
        self.finds.check_value(value)
        await self.screener.refuse_findings("reason", reason)
        note_act(Act.SUBJECT_FOUND, reason=reason)
        what = "Dry run of the erasure of a subject" if is_dry_run else "Search for a subject"
        text = f"{what}; reason given: {reason}"
        alert = await self.alerts.raise_alert(AlertType.SUBJECT_FOUND, text, **current_origin())
        if not alert.is_recorded:
            raise Unavailable("alerts", "The alert about the search cannot be recorded, so nothing is searched.")
        return await self.finds.erase(value, caller, find_only=True, is_dry_run=is_dry_run)

    async def erase(self, value: str, reason: str, caller: Principal) -> ErasureRecord:
        """Erase `value`, and return the record when the erasure has ended, or after two seconds.

        Its alert is raised at the end, with the counts. Raises what `find` raises.
        """
        self.erasure.check_value(value)
        await self.screener.refuse_findings("reason", reason)
        note_act(reason=reason)
        return await self.erasure.erase(value, caller, reason=reason)

    async def result_of(self, find_id: str, caller: Principal) -> ErasureRecord:
        """Return the record of a search; raises `ErasureNotFound` where this token has made none of that id."""
        record = await self.finds.find(find_id, caller.tenant)
        if record.token_id != caller.token_id:
            raise ErasureNotFound("No search of this token has that id.")
        return record

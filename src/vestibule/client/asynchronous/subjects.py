"""Subjects: where a value stands, its erasure, and the record of processing activities."""

from vestibule.client.asynchronous.resource import AsyncResource
from vestibule.client.calls import Call
from vestibule.client.results.subjects import ErasedCounts, Erasure, ProcessingRecord, SubjectSearch


class AsyncSubjects(AsyncResource):
    """Searches for subjects, and their erasure. One that takes longer than two seconds goes on in the background."""

    async def find(self, value: str, *, reason: str) -> SubjectSearch:
        """Find where a value stands. The search raises an alert with its reason.

        Raises:
            ErasureInProgress: another search or erasure of the tenant has not finished.
        """
        body = {"value": value, "reason": reason}
        return await self._result(Call("find_subject", body=body), SubjectSearch)

    async def get_find(self, find_id: str) -> SubjectSearch:
        """Return the progress of a search of this token, and at its end the places. Raises: ErasureNotFound."""
        return await self._result(Call("get_find", path={"find_id": find_id}), SubjectSearch)

    async def erase(self, value: str, *, reason: str) -> Erasure:
        """Erase a value everywhere; at the end there is a signed receipt.

        Raises:
            ErasureInProgress: another search or erasure of the tenant has not finished.
        """
        body = {"value": value, "reason": reason}
        return await self._result(Call("erase_subject_for_reason", body=body), Erasure)

    async def try_erasure(self, value: str, *, reason: str) -> SubjectSearch:
        """Return what would be erased, and change nothing. Needs the scope `find` too."""
        body = {"value": value, "reason": reason, "dry_run": True}
        return await self._result(Call("erase_subject_for_reason", body=body), SubjectSearch)

    async def erase_without_reason(self, value: str) -> ErasedCounts | Erasure:
        """Erase a value everywhere: the counts, or the progress where it takes longer than two seconds."""
        answer = await self._answer(Call("erase_subject", body={"value": value}))
        return answer.result(Erasure) if answer.status == 202 else answer.result(ErasedCounts)

    async def get_erasure(self, erasure_id: str) -> Erasure:
        """Return the progress of an erasure, and at its end the receipt. Raises: ErasureNotFound, if there is none."""
        return await self._result(Call("get_erasure", path={"erasure_id": erasure_id}), Erasure)

    async def processing_record(self) -> ProcessingRecord:
        """Return the record of processing activities (GDPR, Article 30)."""
        return await self._result(Call("get_processing_record"), ProcessingRecord)

    async def processing_record_as_markdown(self) -> str:
        """Return the record of processing activities as a document."""
        return (await self._answer(Call("get_processing_record", accept="text/markdown"))).text

"""The client of the business logic service, which may be switched off."""

from vestibule.contracts.errors import NotProcessable, Unavailable
from vestibule.contracts.tasks import ERROR_DETAILS
from vestibule.contracts.work import ProcessRequest, WorkTerms
from vestibule.service_kit.service_client import ServiceClient

PART = "business_logic"


class BusinessLogicClient:
    """Calls the business logic service to process text."""

    def __init__(self, peer: ServiceClient | None) -> None:
        self._peer = peer

    async def process(self, text: str, processor: str, terms: WorkTerms, work_id: str) -> str:
        """Return the result of `processor` for `text`; `work_id` is the same for each repetition of the same work.

        Raises:
            NotProcessable: the processor cannot process this text.
            Unavailable: the service is switched off or does not answer.
        """
        if self._peer is None:
            raise Unavailable(PART, "The business logic service is disabled; only `mode: async` is available.")
        body = ProcessRequest(
            data=text, processor=processor, options=terms.options, work_id=work_id, origin=terms.origin
        )
        answer = await self._peer.call("POST", "/process", body=body.model_dump(mode="json"))
        if answer.status == 422 and (kind := answer.body.get("kind")) in ERROR_DETAILS:
            raise NotProcessable(ERROR_DETAILS[kind], kind=kind)
        if answer.status != 200:
            raise Unavailable(PART, f"The business logic service refused the request ({answer.status}).")
        return str(answer.body["processed_data"])

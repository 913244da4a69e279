"""The way to the business logic service, which may be switched off."""

from vestibule.contracts.errors import NotProcessable, Unavailable
from vestibule.contracts.tasks import ERROR_DETAILS
from vestibule.contracts.work import ProcessRequest, WorkTerms
from vestibule.service_kit.http_client.service_client import ServiceClient

PART = "business_logic"


class BusinessLogicClient:
    """Has text processed by the business logic service."""

    def __init__(self, peer: ServiceClient | None) -> None:
        self._peer = peer

    @property
    def is_on(self) -> bool:
        """Say whether there is such a service at all."""
        return self._peer is not None

    async def process(self, text: str, processor: str, terms: WorkTerms, work_id: str) -> str:
        """Return what `processor` makes of `text`; `work_id` is the same each time that this work is repeated.

        Raises:
            NotProcessable: it cannot do this text.
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

"""What is asked about work beside its data: how it is done, where its result goes, and on whose behalf."""

from vestibule.client_service.api.schemas import ProcessorChoice
from vestibule.contracts.work import WorkOrigin, WorkTerms
from vestibule.policy import Situation


def situation_of_result(choice: ProcessorChoice, sender: Situation) -> Situation:
    """Return the situation of what is to be kept under the key that is named for the result."""
    return sender if choice.write_to is None else sender.under(choice.write_to)


def terms_of(choice: ProcessorChoice, sender: Situation, key: str | None) -> WorkTerms:
    """Return the terms of work over what stands under `key`, or over a text where it is None."""
    origin = WorkOrigin.model_construct(
        route=sender.route,
        tenant=sender.tenant,
        token_id=sender.token_id,
        token_name=sender.token_name,
        key=choice.write_to or key,
    )
    # Everything in it was validated before.
    return WorkTerms.model_construct(options=choice.options, write_to=choice.write_to, origin=origin)

"""The use case of a form: its values are held to the definition, screened, stored, and processed where it says so."""

from dataclasses import dataclass

import structlog

from vestibule.client_service.forms.reading import Given
from vestibule.client_service.forms.values import fill
from vestibule.client_service.intake.intake import AddedFields, Intake
from vestibule.client_service.intake.work import RunRequest, new_operation_id, operation_id
from vestibule.contracts.errors import InvalidInput, Unavailable
from vestibule.policy import Situation
from vestibule.policy.forms import FormDefinition

PREFIX = "forms/"


@dataclass(frozen=True, slots=True)
class SubmittedForm:
    """A form that was stored, and the task that processes it, if any."""

    added: AddedFields
    task_id: str | None


async def submit(
    intake: Intake, name: str, definition: FormDefinition, given: Given, sender: Situation
) -> SubmittedForm:
    """Screen the values of a form and store them as one object; it is on disk then. Process it where it says so.

    Raises:
        FormInvalid: it is not filled in as the definition says.
        PersonalDataFound: the policy rejects a value or a name.
        Unavailable: a service does not answer, or the definition names a processor or options that do not exist. A
            repetition under the same idempotency key stores nothing twice.
    """
    filled = fill(definition, given)
    _check_processor(intake, name, definition)
    form_id = operation_id.get() or new_operation_id()
    key = f"{PREFIX}{name}/{form_id}"
    # The record of the decision names the task, as that of a message does.
    situation = sender if definition.processor is None else sender._replace(task_id=form_id)
    added = await intake.add_fields(key, filled.texts(), filled.as_json, situation)
    if definition.processor is None:
        return SubmittedForm(added, None)
    request = RunRequest(
        key=key,
        processor=definition.processor,
        options=dict(definition.options),
        write_to=definition.write_to and f"{definition.write_to}{form_id}",
        callback=definition.callback,
    )
    return SubmittedForm(added, await intake.start(request, sender, form_id))


def _check_processor(intake: Intake, name: str, definition: FormDefinition) -> None:
    if definition.processor is None:
        return
    try:
        intake.processors.read_options(definition.processor, dict(definition.options))
    except InvalidInput as error:
        # Visitors can do nothing about it, and need not know which processors there are.
        structlog.get_logger("vestibule.forms").error("form_misconfigured", form=name, reason=error.detail)
        raise Unavailable("forms", "The form cannot be sent now: its definition is not valid.") from None

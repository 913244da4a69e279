"""The route of forms: what a page sends is screened field by field and stored as one object."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import Field
from starlette.responses import Response

from vestibule.client_service.api.entries import WrittenEntry
from vestibule.client_service.api.forms.description import FORM_BODY
from vestibule.client_service.api.screening import DecisionReply
from vestibule.client_service.api.wiring import (
    CallerPart,
    ClientWiring,
    RepeatableRoute,
    Sender,
    WiringPart,
    note_preference,
)
from vestibule.client_service.forms.reading import JSON, read_form
from vestibule.client_service.forms.submission import submit
from vestibule.contracts.entries import etag_of
from vestibule.contracts.errors import (
    FormInvalid,
    FormMediaType,
    FormNotFound,
    IdempotencyKeyReused,
    InvalidInput,
    OriginRefused,
    PersonalDataFound,
    QuotaExceeded,
    ScanImpossible,
    TooLarge,
    TooManyWaiting,
    UnknownProcessor,
)
from vestibule.runtime.log_context import bind_log_fields
from vestibule.service_kit.auth.authentication import allow, client_address
from vestibule.service_kit.http.preferences import TAKES_PREFERENCE
from vestibule.service_kit.openapi.descriptions import problem_responses
from vestibule.service_kit.wiring import wiring_of

# What a visitor can do something about; a browser without script is sent to a page that says so.
OF_VISITORS = (FormInvalid, FormMediaType, PersonalDataFound, ScanImpossible, TooLarge)


class FormRoute(RepeatableRoute):
    """The route of forms, of which those that are public need no token."""

    admits_without_token = True

    def admit(self, request: Request) -> bool:
        """Set the caller of a public form that comes without a token, and say whether it is one.

        Raises:
            OriginRefused: the page is of no allowed origin.
            QuotaExceeded: too many came.
        """
        if "authorization" in request.headers:
            return False
        forms = wiring_of(request, ClientWiring).forms
        caller = forms.admit_public(request.path_params["name"], origin_of(request), client_address(request))
        if caller is None:
            return False
        request.scope["state"]["caller"] = caller
        bind_log_fields(token_id=caller.token_id, token_name=caller.name, tenant=caller.tenant)
        return True


router = APIRouter(route_class=FormRoute, tags=["forms"])


class FormReply(DecisionReply, WrittenEntry):
    """A form that is on disk, and the decision about it; a field that has a finding is named by it."""

    key: str = Field(examples=["forms/contact/019ad6f3-c240-7f2e-8d3a-5f3a9c21d0b4"])
    task_id: str | None = Field(default=None, description="The task that processes it, if the form has a processor")
    status_url: str | None = Field(default=None, description="Path of the status of that task")


def origin_of(request: Request) -> str | None:
    """Return the origin of the page that sends a request; None where it says none."""
    lines = request.headers.getlist("origin")
    return ", ".join(lines) if lines else None


@router.post(
    "/forms/{name}",
    status_code=201,
    dependencies=[allow("forms")],
    openapi_extra={"requestBody": FORM_BODY, "parameters": TAKES_PREFERENCE["parameters"]},
    response_model=FormReply,
    response_model_exclude_none=True,
    responses={
        303: {"description": "To the page that the form's definition names, for browsers without script"},
        **problem_responses(
            OriginRefused,
            FormNotFound,
            409,
            413,
            FormMediaType,
            FormInvalid,
            PersonalDataFound,
            InvalidInput,
            UnknownProcessor,
            ScanImpossible,
            IdempotencyKeyReused,
            TooManyWaiting,
            QuotaExceeded,
            503,
        ),
    },
)
async def submit_form(
    *,
    name: Annotated[str, Path(description="A form that the policy file defines", examples=["contact"])],
    request: Request,
    wiring: WiringPart,
    sender: Sender,
    caller: CallerPart,
    response: Response,
) -> FormReply | Response:
    """Screen a form field by field and store it as one JSON object under a key of its own. A 201 means: on disk.

    Send JSON, or what browsers send: `application/x-www-form-urlencoded` or `multipart/form-data` without files, in
    UTF-8. Values of one name become a list. A form that its definition calls public needs no token, and takes what
    pages of its `origins` send.
    """
    definition = wiring.forms.find(name, caller, origin_of(request), client_address(request))
    content_type = request.headers.get("content-type", "")
    redirects = _wants_page(request, content_type)
    try:
        given = await read_form(content_type, await request.body())
        submitted = await submit(wiring.intake, name, definition, given, sender)
    except OF_VISITORS:
        if redirects and definition.redirect_refused is not None:
            return _see(definition.redirect_refused)
        raise
    if redirects and definition.redirect is not None:
        return _see(definition.redirect)
    written = submitted.added.written
    response.headers["ETag"] = etag_of(written.version)
    note_preference(response, sender)
    status_url = submitted.task_id and f"/tasks/{submitted.task_id}"
    return FormReply(
        **written.model_dump(),
        **submitted.added.screened.decision,
        task_id=submitted.task_id,
        status_url=status_url,
    )


def _wants_page(request: Request, content_type: str) -> bool:
    """Say whether a browser sends the form and shows the answer: not JSON, not repeatable, and it takes HTML."""
    is_json = content_type.partition(";")[0].strip().lower() == JSON
    is_repeatable = FormRoute.once_header in request.headers
    return not is_json and not is_repeatable and "text/html" in request.headers.get("accept", "")


def _see(address: str) -> Response:
    return Response(status_code=303, headers={"Location": address})

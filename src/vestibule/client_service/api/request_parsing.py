"""Parameters that several routes share: entries as JSON or as query parameters, the caller, and the use case."""

from typing import Annotated, Any, TypeVar

from fastapi import Body, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from vestibule.client_service.api.wiring import ClientWiring
from vestibule.client_service.intake.intake import Intake
from vestibule.client_service.intake.requests import RunRequest
from vestibule.contracts.entries import Pair
from vestibule.policy import Situation
from vestibule.service_kit.auth.authentication import Caller
from vestibule.service_kit.wiring import wiring_of

# The same models validate JSON and query parameters, so that rules and messages are the same.
Model = TypeVar("Model", bound=BaseModel)
KeyText = Annotated[str | None, Query(description="The key, where there is no body")]
ValueText = Annotated[str | None, Query(description="The value, where there is no body")]
TtlText = Annotated[str | None, Query(description="Seconds after which the entry is gone")]
ProcessorText = Annotated[str | None, Query(description="Which processor does the work; `uppercase` unless given")]


async def _pair(
    body: Annotated[Pair | None, Body()] = None,
    key: KeyText = None,
    value: ValueText = None,
    ttl_s: TtlText = None,
) -> Pair:
    return body or _from_query(Pair, {"key": key, "value": value, "ttl_s": ttl_s})


async def _run(
    body: Annotated[RunRequest | None, Body()] = None, key: KeyText = None, processor: ProcessorText = None
) -> RunRequest:
    return body or _from_query(RunRequest, {"key": key, "processor": processor})


async def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


async def _tenant(request: Request) -> str:
    caller: Caller = request.state.caller
    return caller.tenant


async def _sender(request: Request) -> Situation:
    caller: Caller = request.state.caller
    return Situation(request.scope["route"].path, caller.token_id, caller.name, tenant=caller.tenant)


async def _intake(request: Request) -> Intake:
    caller: Caller = request.state.caller
    return wiring_of(request, ClientWiring).intake_for(caller.principal)


def _from_query(model: type[Model], given: dict[str, str | None]) -> Model:
    present = {name: value for name, value in given.items() if value is not None}
    try:
        return model.model_validate(present)
    except ValidationError as error:
        mistakes: list[Any] = [{**mistake, "loc": ("query", *mistake["loc"])} for mistake in error.errors()]
        raise RequestValidationError(mistakes) from None


CallerPart = Annotated[Caller, Depends(_caller)]
Tenant = Annotated[str, Depends(_tenant)]
PairSource = Annotated[Pair, Depends(_pair)]
Sender = Annotated[Situation, Depends(_sender)]
IntakePart = Annotated[Intake, Depends(_intake)]
RunSource = Annotated[RunRequest, Depends(_run)]

"""What the routes of the client service share: the service's parts, parameters, and `Idempotency-Key`."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Body, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from vestibule.alerts import AlertArchive
from vestibule.alerts.store.archive import AlertTriage
from vestibule.client_service.erasure import Erasure
from vestibule.client_service.idempotency import HEADER, MAX_KEY_CHARS, Idempotency
from vestibule.client_service.intake.intake import Intake
from vestibule.client_service.intake.work import RunRequest
from vestibule.client_service.screening.detokenization import Detokenizer
from vestibule.client_service.screening.screener import Screener
from vestibule.client_service.task_service.schedule_service import ScheduleService
from vestibule.client_service.task_service.task_service import TaskService
from vestibule.client_service.webhooks.rules import WebhookRules
from vestibule.contracts.entries import Pair
from vestibule.contracts.identity import Principal
from vestibule.database_client.entries import EntryClient
from vestibule.policy import Situation
from vestibule.processing import ProcessorRegistry
from vestibule.service_kit.auth.authentication import Authenticator, Caller, GuardedRoute
from vestibule.service_kit.fast_dispatch.fast_dispatch import FastRoute
from vestibule.service_kit.http.health import Readiness
from vestibule.service_kit.wiring import wired, wiring_of


@dataclass(frozen=True, slots=True)
class ClientWiring:
    """The parts of the service that its routes call; `main.py` builds it."""

    authenticator: Authenticator
    readiness: Readiness
    idempotency: Idempotency
    entries_for: Callable[[Principal], EntryClient]
    intake: Intake
    task_service: TaskService
    schedule_service: ScheduleService
    processors: ProcessorRegistry
    webhook_rules: WebhookRules
    screener: Screener
    detokenizer: Detokenizer
    receipt_keys: Mapping[str, Any]
    alert_archive: AlertArchive
    alert_triage: AlertTriage
    erasure: Erasure


class _Repeatable(FastRoute):
    """A route that serves a POST with an `Idempotency-Key` once."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if "POST" in (options.get("methods") or ()):
            # Not a parameter of the framework, which would parse it on every request.
            parameter = {
                "name": HEADER,
                "in": "header",
                "required": False,
                "description": "Unique name of the request; a repetition within a day gets the first reply",
                "schema": {"type": "string", "maxLength": MAX_KEY_CHARS},
            }
            described = dict(options.get("openapi_extra") or {})
            described["parameters"] = [*described.get("parameters", ()), parameter]
            options["openapi_extra"] = described
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler that checks for an `Idempotency-Key` first."""
        serve = super().get_route_handler()
        if "POST" not in (self.methods or ()):
            return serve

        async def once(request: Request) -> Response:
            key = request.headers.get(HEADER)
            if key is None:
                return await serve(request)
            return await wiring_of(request, ClientWiring).idempotency.serve_once(request, key, serve)

        return once


class RepeatableRoute(GuardedRoute, _Repeatable):
    """A guarded route whose requests can be repeated: the caller is authenticated before any look-up."""


# The same models validate JSON and query parameters, so that rules and messages are the same.
Model = TypeVar("Model", bound=BaseModel)
KeyText = Annotated[str | None, Query(description="The key, if there is no body")]


async def _pair(
    body: Annotated[Pair | None, Body()] = None,
    key: KeyText = None,
    value: Annotated[str | None, Query(description="The value, if there is no body")] = None,
    ttl_s: Annotated[str | None, Query(description="Seconds after which the entry expires")] = None,
) -> Pair:
    return body or _from_query(Pair, {"key": key, "value": value, "ttl_s": ttl_s})


async def _run(
    body: Annotated[RunRequest | None, Body()] = None,
    key: KeyText = None,
    processor: Annotated[str | None, Query(description="The processor; `uppercase` by default")] = None,
) -> RunRequest:
    return body or _from_query(RunRequest, {"key": key, "processor": processor})


def _from_query(model: type[Model], given: dict[str, str | None]) -> Model:
    try:
        return model.model_validate_strings({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        mistakes: list[Any] = [{**mistake, "loc": ("query", *mistake["loc"])} for mistake in error.errors()]
        raise RequestValidationError(mistakes) from None


async def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


async def _tenant(request: Request) -> str:
    caller: Caller = request.state.caller
    return caller.tenant


async def _sender(request: Request) -> Situation:
    caller: Caller = request.state.caller
    return Situation(request.scope["route"].path, caller.token_id, caller.name, tenant=caller.tenant)


async def _entries(request: Request) -> EntryClient:
    caller: Caller = request.state.caller
    return wiring_of(request, ClientWiring).entries_for(caller.principal)


WiringPart = Annotated[ClientWiring, Depends(wired(ClientWiring))]
CallerPart = Annotated[Caller, Depends(_caller)]
Tenant = Annotated[str, Depends(_tenant)]
Sender = Annotated[Situation, Depends(_sender)]
EntriesPart = Annotated[EntryClient, Depends(_entries)]
PairSource = Annotated[Pair, Depends(_pair)]
RunSource = Annotated[RunRequest, Depends(_run)]

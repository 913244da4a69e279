"""What the routes of the client service share: the service's parts, parameters, and `Idempotency-Key`."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from vestibule.alerts import AlertArchive
from vestibule.alerts.channel_tests import ChannelTester
from vestibule.alerts.store.channel_states import ChannelStates
from vestibule.alerts.store.groups import AlertGroups
from vestibule.alerts.store.silences import SilenceRepository
from vestibule.client_service.allowances.allowances import Allowances
from vestibule.client_service.compat.litellm.guardrail import GuardrailService
from vestibule.client_service.compat.presidio.service import PresidioService
from vestibule.client_service.conversations.revealing import TextReveals
from vestibule.client_service.decisions.rates import RateReader
from vestibule.client_service.decisions.stream import DecisionStream
from vestibule.client_service.erasure import SubjectService
from vestibule.client_service.forms.admission import FormAdmission
from vestibule.client_service.idempotency import HEADER, MAX_KEY_CHARS, Idempotency
from vestibule.client_service.intake.intake import Intake
from vestibule.client_service.intake.work import ProcessorChoice
from vestibule.client_service.policies.drafts import PolicyDrafts
from vestibule.client_service.policies.since import PolicySince
from vestibule.client_service.processing_record import ProcessingRecords
from vestibule.client_service.queue.pauses import QueuePauses
from vestibule.client_service.queue.queue_view import QueueView
from vestibule.client_service.queue.workers import WorkerRegistry
from vestibule.client_service.screening.builder import DecisionSigner
from vestibule.client_service.screening.detokenization import Detokenizer
from vestibule.client_service.screening.screener import Screener
from vestibule.client_service.task_service.bulk import BulkActions
from vestibule.client_service.task_service.schedule_control import ScheduleControl
from vestibule.client_service.task_service.schedule_service import ScheduleService
from vestibule.client_service.task_service.task_service import TaskService
from vestibule.client_service.task_service.waiting import WaitingService
from vestibule.client_service.token_service import TokenService
from vestibule.client_service.trace.trace_service import TraceService
from vestibule.client_service.webhooks.rules import WebhookRules
from vestibule.contracts.identity import Principal
from vestibule.database_client.audit import AuditClient
from vestibule.database_client.decisions import DecisionClient
from vestibule.database_client.entries import EntryClient
from vestibule.policy import Situation
from vestibule.policy.policy import PolicyFile
from vestibule.processing import ProcessorRegistry
from vestibule.runtime.shares import Shares
from vestibule.service_kit.auth.authentication import Caller, GuardedRoute
from vestibule.service_kit.fast_dispatch.strict_requests import Handler
from vestibule.service_kit.http.preferences import PREFER, wants_receipt
from vestibule.service_kit.problems import PREFERENCE_APPLIED, RECEIPT
from vestibule.service_kit.request_headers import headers_of
from vestibule.service_kit.wiring import ServiceWiring, wired, wiring_of

STREAMS_OPENED_AT_ONCE = 4
SCAN_STREAMS_AT_ONCE = 4
# Batches of a token that wait, and erasures.
MOST_WAITING = 16
_PREFER = PREFER.encode()


@dataclass(frozen=True, slots=True)
class ClientWiring(ServiceWiring):
    """The parts of the service that its routes call; `main.py` builds it."""

    idempotency: Idempotency
    entries_for: Callable[[Principal], EntryClient]
    intake: Intake
    forms: FormAdmission
    task_service: TaskService
    waiting: WaitingService
    pauses: QueuePauses
    queue: QueueView
    workers: WorkerRegistry
    schedule_service: ScheduleService
    schedule_control: ScheduleControl
    processors: ProcessorRegistry
    webhook_rules: WebhookRules
    screener: Screener
    presidio: PresidioService
    guardrail: GuardrailService
    reveals: TextReveals
    detokenizer: Detokenizer
    policies: PolicyFile
    policy_since: PolicySince
    drafts: PolicyDrafts
    allowances: Allowances
    receipt_signer: DecisionSigner
    decisions: DecisionClient
    decision_stream: DecisionStream
    decision_rates: RateReader
    audit_lines: AuditClient
    alert_archive: AlertArchive
    alert_groups: AlertGroups
    silences: SilenceRepository
    channel_states: ChannelStates
    channel_tester: ChannelTester
    replica: str
    subject_service: SubjectService
    processing_records: ProcessingRecords
    trace_service: TraceService
    bulk_actions: BulkActions
    token_service: TokenService
    # How many streams a token opens at the same time; each costs a connection to the database service.
    opening_streams: Shares = field(default_factory=lambda: Shares(STREAMS_OPENED_AT_ONCE))
    # Batches of a token are served one after the other: several at once would keep the database service from others.
    batches: Shares = field(default_factory=lambda: Shares(1))
    # Streams of texts to scan, each of which keeps a connection and a line of its own. Their lines are batches.
    scan_streams: Shares = field(default_factory=lambda: Shares(SCAN_STREAMS_AT_ONCE))
    # An erasure reads all that a tenant has.
    erasures: Shares = field(default_factory=lambda: Shares(1))
    # A page of a thousand tasks or of decisions keeps both services busy for a tenth of a second.
    listings: Shares = field(default_factory=lambda: Shares(1))
    # A tenant can make itself tokens, so it has a share of its own.
    listings_of_tenants: Shares = field(default_factory=lambda: Shares(2))
    # A preview, or the start of an action on many tasks, reads up to ten thousand of them.
    bulk_requests: Shares = field(default_factory=lambda: Shares(1))

    # A replay reads and decides up to 20,000 decisions.
    replays: Shares = field(default_factory=lambda: Shares(1))


class RepeatableRoute(GuardedRoute):
    """A guarded route that serves a POST with an `Idempotency-Key` once."""

    once_header = HEADER

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

    async def serve_once(self, request: Request, handle: Handler) -> Response:
        """Serve a request with a key once if it is a POST, and others as without it."""
        if request.method != "POST":
            return await handle(request)
        idempotency = wiring_of(request, ClientWiring).idempotency
        return await idempotency.serve_once(request, request.headers[HEADER], handle)


# The same models validate JSON and query parameters, so that rules and messages are the same.
Model = TypeVar("Model", bound=BaseModel)
KeyText = Annotated[str | None, Query(description="The key, if there is no body")]


def from_query(model: type[Model], **given: str | None) -> Model:
    """Return the model that query parameters describe where a request has no body.

    Raises:
        RequestValidationError: they are not valid.
    """
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
    situation = Situation(request.scope["route"].path, caller.token_id, caller.name, tenant=caller.tenant)
    if _PREFER in headers_of(request.scope) and wants_receipt(request):
        return situation._replace(wants_receipt=True)
    return situation


async def _entries(request: Request) -> EntryClient:
    caller: Caller = request.state.caller
    return wiring_of(request, ClientWiring).entries_for(caller.principal)


async def check_target(work: ProcessorChoice, wiring: ClientWiring, caller: Caller) -> None:
    """Check that the caller may store the result of its work where it asks for that.

    Raises:
        ScopeMissing: it lacks the scope `add`, without which no caller writes a key.
    """
    if work.write_to is not None:
        await wiring.authenticator.require(caller, "add")


@asynccontextmanager
async def listing(wiring: ClientWiring, caller: Caller) -> AsyncIterator[None]:
    """Make one page of a list: of a token one at a time, and of a tenant two.

    Raises:
        TooManyWaiting: too many of the token wait already.
    """
    async with wiring.listings.of(caller.token_id, MOST_WAITING), wiring.listings_of_tenants.of(caller.tenant):
        yield


def note_preference(response: Response, sender: Situation) -> None:
    """Say in the response that the receipt which the caller prefers is in it."""
    if sender.wants_receipt:
        response.headers[PREFERENCE_APPLIED] = RECEIPT


WiringPart = Annotated[ClientWiring, Depends(wired(ClientWiring))]
CallerPart = Annotated[Caller, Depends(_caller)]
Tenant = Annotated[str, Depends(_tenant)]
Sender = Annotated[Situation, Depends(_sender)]
EntriesPart = Annotated[EntryClient, Depends(_entries)]

"""The routes of screening: reveal the value of a token or an entry, verify receipts; and the view of a decision."""

from itertools import combinations, product, starmap
from typing import Annotated, Self

from fastapi import APIRouter, Body
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from vestibule.client_service.api.wiring import CallerPart, EntriesPart, Sender, WiringPart
from vestibule.client_service.conversations.store import ConversationId
from vestibule.contracts.audit import Act
from vestibule.contracts.entries import MAX_VALUE_BYTES, Key, within_value_limit
from vestibule.contracts.errors import (
    InvalidInput,
    KeyNotFound,
    PersonalDataFound,
    TokenRetired,
    UnknownToken,
)
from vestibule.contracts.json_types import AS_INTEGER, MAX_COUNT, any_of, not_both
from vestibule.contracts.reasons import GivenReason
from vestibule.policy import Action
from vestibule.service_kit.audit.acts import audited, note_act
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute)

MOST_TEXTS = 1_000
ValueText = Annotated[str, AfterValidator(within_value_limit)]


class FindingView(BaseModel):
    """A finding: the kind and the position. Never the text itself."""

    entity: str = Field(examples=["EMAIL_ADDRESS"])
    start: int = Field(description="First character, counted in Unicode code points", examples=[8])
    end: int = Field(description="The character after the last", examples=[25])
    score: float = Field(description="Confidence of the scanner, from 0 to 1", examples=[1.0])


class TreatedFinding(FindingView):
    """A finding that the policy accepted, and how."""

    field: str = Field(description="The part of the request that contains it", examples=["value"])
    action: Action = Field(description="The action that was taken", examples=["redact"])
    would_have: Action | None = Field(default=None, description="In a dry run: the action that would have been taken")


class DecisionReply(BaseModel):
    """The decision about a request that was accepted."""

    findings: list[TreatedFinding] = Field(description="What the policy accepted, changed or unchanged")
    would_have: Action | None = Field(
        default=None, description="In a dry run: the strictest action that would have been taken"
    )
    decision_id: str = Field(
        description="The decision; with findings, `GET /decisions` lists it", examples=["5f3a9c21d0b4e876"]
    )
    receipt: str | None = Field(
        default=None,
        description="With `Prefer: receipt`: the decision, signed. A compact JWS; `vestibule receipt verify` or any "
        "JOSE library checks it",
        examples=["eyJhbGciOiJFZDI1NTE5Iiwia2lkIjoi…"],
    )


class RevealRequest(BaseModel):
    """A token, or the key of an entry, and the reason for revealing the value."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "token": "<EMAIL_ADDRESS.v1.5f3a9c21.K7YQ…>",
                    "reason": "ticket 4711: the customer asks for a call back",
                },
                {"key": "test1", "reason": "ticket 4711: the customer asks for a call back"},
                {
                    "texts": ["I have written to <EMAIL_ADDRESS_1>."],
                    "conversation_id": "5f0f31d8-1d1f-4b1b-9d0e-6c1c9f4b7a11",
                    "reason": "ticket 4711: the answer to the customer",
                },
            ],
            "allOf": [
                *any_of("token", "key", "texts")["allOf"],
                *starmap(not_both, combinations(("token", "key", "texts"), 2)),
                *starmap(not_both, product(("token", "texts"), ("version",))),
                *starmap(not_both, product(("token", "key"), ("conversation_id", "caller"))),
            ],
        },
    )

    token: Annotated[str, Field(min_length=1, max_length=2 * MAX_VALUE_BYTES)] | None = Field(
        default=None,
        description="A token of the policy's `tokenize`",
        examples=["<EMAIL_ADDRESS.v1.5f3a9c21.K7YQ…>"],
    )
    key: Key | None = Field(default=None, description="The key of an entry, in place of a token")
    version: Annotated[int, Field(ge=1, le=MAX_COUNT), AS_INTEGER] | None = Field(
        default=None, description="Of an entry: a version that is kept, the current one if absent"
    )
    texts: Annotated[list[ValueText], Field(min_length=1, max_length=MOST_TEXTS)] | None = Field(
        default=None,
        description="Texts with stand-ins of a conversation, or with tokens, in place of a token: all are given back "
        "with the values, under one alert",
        examples=[["I have written to <EMAIL_ADDRESS_1>."]],
    )
    conversation_id: Annotated[str, Field(min_length=1, max_length=1024)] | None = Field(
        default=None,
        description="Of texts: the conversation, which is kept for a day after its last new stand-in; without it only "
        "tokens are opened",
        examples=["5f0f31d8-1d1f-4b1b-9d0e-6c1c9f4b7a11"],
    )
    caller: Annotated[str, Field(min_length=1, max_length=1024)] | None = Field(
        default=None, description="Of a conversation through a gateway: the `user_api_key_hash` of its caller, if any"
    )
    reason: GivenReason = Field(examples=["ticket 4711: the customer asks for a call back"])

    @model_validator(mode="after")
    def _check_what(self) -> Self:
        if sum(one is not None for one in (self.token, self.key, self.texts)) != 1:
            raise ValueError("must have one of a token, a key and texts")
        if self.key is None and self.version is not None:
            raise ValueError("must name a version only with a key")
        if self.texts is None and (self.conversation_id is not None or self.caller is not None):
            raise ValueError("must name a conversation only with texts")
        return self


class Revealed(BaseModel):
    """The value behind a token, or of an entry."""

    value: str = Field(examples=["jane@example.org"])
    alert_id: str = Field(description="The alert that records the caller and the reason")
    rotated: bool = Field(
        description="The key of the token was rotated; the value can be revealed until that key is retired",
        examples=[False],
    )
    key: str | None = Field(default=None, description="Of an entry: its key", examples=["test1"])
    version: int | None = Field(default=None, description="Of an entry: the version that has the value", examples=[3])


class RevealedTexts(BaseModel):
    """Texts with the values in place of what stood for them."""

    texts: list[str] = Field(
        description="As many as were sent, in the same order; what stands for nothing here stays as it is",
        examples=[["I have written to jane@example.org."]],
    )
    revealed: int = Field(description="How many stand-ins and tokens were replaced", examples=[1])
    alert_id: str = Field(description="The one alert that records the caller and the reason")


class ReceiptKeys(BaseModel):
    """The public keys of receipts, as a JWK set; the first one signs new receipts."""

    keys: list[dict[str, str]] = Field(
        examples=[
            [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": "ufBt8ID9mbVC8fyg…", "x": "11qYAYKxCrfVS_7T…"}]
        ]
    )


@router.post(
    "/reveal",
    tags=["tokens"],
    dependencies=[allow("reveal")],
    responses=problem_responses(UnknownToken, KeyNotFound, TokenRetired, InvalidInput, PersonalDataFound, 503),
    response_model_exclude_none=True,
)
@audited(Act.VALUE_REVEALED)
async def reveal_token(
    request: Annotated[RevealRequest, Body()],
    sender: Sender,
    wiring: WiringPart,
    caller: CallerPart,
    entries: EntriesPart,
) -> Revealed | RevealedTexts:
    """Return the value that a token stands for, or with `key` that of an entry, which needs the scope `read` too.

    With `texts` they are returned with the values of all stand-ins of a conversation, and of all tokens in them. Each
    use raises one alert with its reason, or is refused.
    """
    if request.texts is not None:
        tenant = wiring.policies.current.tenant_of(sender)
        identity = ConversationId(tenant, request.caller or "", request.conversation_id or "")
        texts, count, alert = await wiring.reveals.reveal(request.texts, identity, request.reason)
        note_act(target=alert.id)
        return RevealedTexts(texts=texts, revealed=count, alert_id=alert.id)
    if request.token is not None:
        value, alert, is_rotated = await wiring.detokenizer.reveal(request.token, request.reason, sender)
        note_act(target=alert.id)
        return Revealed(value=value, alert_id=alert.id, rotated=is_rotated)
    await wiring.authenticator.require(caller, "read")
    key = request.key or ""
    entry, alert = await wiring.detokenizer.reveal_entry(entries, key, request.version, request.reason)
    note_act(target=alert.id)
    return Revealed(value=entry.value, alert_id=alert.id, rotated=False, key=entry.key, version=entry.version)


@router.get("/receipts/key", tags=["receipts"], dependencies=[allow("receipts")], responses=problem_responses())
async def get_receipt_keys(wiring: WiringPart) -> ReceiptKeys:
    """Return the public keys that verify receipts, as a JWK set; the first one signs new receipts."""
    return ReceiptKeys.model_validate(wiring.receipt_signer.public_keys)

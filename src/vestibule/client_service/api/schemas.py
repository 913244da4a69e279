"""What callers send to the front door and what they get back."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from vestibule.contracts.entries import MAX_VALUE_BYTES, ExpiresAt, within_value_limit
from vestibule.policy import Action

MAX_SCAN_TEXTS = 1000
MAX_REASON_CHARS = 300


class FindingView(BaseModel):
    """Something that was found, by kind and place. Never the text itself."""

    entity: str = Field(examples=["EMAIL_ADDRESS"])
    start: int = Field(description="First character, counted in Unicode code points", examples=[8])
    end: int = Field(description="The character after the last", examples=[25])
    score: float = Field(description="How sure the scanner is, from 0 to 1", examples=[1.0])


class Reasons(BaseModel):
    """Why something was found: rule, check and the words around it that count. Never the value."""

    rule: str = Field(examples=["address"])
    check: str | None = Field(examples=["is_email"])
    context: list[str] = Field(description="Words that raised or lowered the score", examples=[["e-mail"]])
    decoded_from: str | None = Field(description="The encoding that it was found behind, if any", examples=["base64"])


class ExplainedFinding(FindingView):
    """A finding with its reasons."""

    because: Reasons


class TreatedFinding(FindingView):
    """A finding that was let through, and how."""

    field: str = Field(description="The part of the request that it stands in", examples=["value"])
    action: Action = Field(description="What was done about it", examples=["redact"])
    would_have: Action | None = Field(default=None, description="In a dry run: what would have been done about it")


class DecisionReply(BaseModel):
    """What was decided about a request that was let in."""

    findings: list[TreatedFinding] = Field(description="What the policy let pass, changed or as it came")
    would_have: Action | None = Field(
        default=None, description="In a dry run: the strictest action that would have been taken"
    )
    receipt: str = Field(
        description="The decision, signed: a compact JWS; `vestibule receipt verify` or any JOSE library checks it",
        examples=["eyJhbGciOiJFZDI1NTE5Iiwia2lkIjoi…"],
    )


class WrittenEntry(BaseModel):
    """A pair that is on disk."""

    status: Literal["written"] = "written"
    key: str = Field(examples=["test1"])
    version: int = Field(description="1 for the first write of a key, one more for each that follows", examples=[1])
    expires_at: ExpiresAt = None


class AddReply(DecisionReply, WrittenEntry):
    """A pair that is on disk, and what was decided about it."""


class Accepted(BaseModel):
    """Work that was accepted and is done in the background."""

    task_id: str = Field(examples=["0b7c5a3e-6d0f-4a43-9c55-0a7d6a2f6f0e"])
    status_url: str = Field(examples=["/tasks/0b7c5a3e-6d0f-4a43-9c55-0a7d6a2f6f0e"])


class CallbackKey(BaseModel):
    """The key by which a receiver of callbacks knows that they come from here."""

    key: str = Field(description="Of HMAC-SHA256 over `X-Vestibule-Timestamp`, a point and the body; as it stands here")


class AcceptedMessage(DecisionReply, Accepted):
    """A message that was let in and is processed in the background."""


class ProcessedMessage(BaseModel):
    """What a processor made of a message."""

    reply: str = Field(examples=["HELLO"])


class Reply(DecisionReply, ProcessedMessage):
    """The reply to a message, and what was decided about it."""


class ProcessorExample(BaseModel):
    """What a processor makes of a text."""

    data: str = Field(examples=["hello"])
    result: str = Field(examples=["HELLO"])
    options: dict[str, Any]


class ProcessorView(BaseModel):
    """What can be asked for as `processor`."""

    name: str = Field(examples=["uppercase"])
    description: str = Field(examples=["Turns the text into upper case."])
    options: dict[str, Any] | None = Field(description="The JSON Schema of its options; null where it takes none")
    examples: list[ProcessorExample]


class ProcessorList(BaseModel):
    """The processors by name."""

    processors: list[ProcessorView]


class ScanRequest(BaseModel):
    """One text, or up to a thousand."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "write to me@example.org"}]})

    text: Annotated[str, AfterValidator(within_value_limit)] | None = None
    texts: list[str] | None = Field(default=None, max_length=MAX_SCAN_TEXTS)
    explain: bool = Field(default=False, description="Say of each finding why it was made")


class ScanReply(BaseModel):
    """What was found in the text."""

    findings: list[ExplainedFinding | FindingView]


class BatchScanReply(BaseModel):
    """What was found in each text, in the order of the request."""

    results: list[ScanReply]


class RevealRequest(BaseModel):
    """Something that stands in place of a value, and why the value is needed."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(min_length=1, max_length=2 * MAX_VALUE_BYTES, examples=["<EMAIL_ADDRESS.v1.5f3a9c21.K7YQ…>"])
    reason: str = Field(
        min_length=1,
        max_length=MAX_REASON_CHARS,
        description="Is kept with the alert, so it may hold no personal data",
        examples=["ticket 4711: the customer asks for a call back"],
    )


class Revealed(BaseModel):
    """The value that was asked for."""

    value: str = Field(examples=["jane@example.org"])
    alert_id: str = Field(description="The alert that says who asked, and why")
    rotated: bool = Field(
        description="The key of the token was rotated since: it opens until that key is retired", examples=[False]
    )


class ReceiptKeys(BaseModel):
    """The public keys of receipts, as a JWK set; the first signs now."""

    keys: list[dict[str, str]] = Field(
        examples=[
            [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": "ufBt8ID9mbVC8fyg…", "x": "11qYAYKxCrfVS_7T…"}]
        ]
    )


class AlertView(BaseModel):
    """An alert, which gives away nothing of what it is about."""

    id: str
    time: str
    type: str = Field(examples=["PersonalData"])
    severity: str = Field(examples=["warning"])
    description: str
    service: str = Field(examples=["client"])
    entities: list[str] = Field(examples=[["EMAIL_ADDRESS"]])
    fingerprint: str | None = Field(description="Keyed: the same for the same value, and of no use to look it up")
    request_id: str | None
    token_id: str | None
    subject: str | None = Field(description="The part, queue or channel that it is about", examples=["database"])
    count: int


class AlertList(BaseModel):
    """Alerts, newest first, and where the next page starts."""

    alerts: list[AlertView]
    cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last")

"""The routes of tokens: list, create, rotate and revoke them."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from vestibule.client_service.api.wiring import CallerPart, WiringPart
from vestibule.client_service.token_service import ListedToken, TokenTerms
from vestibule.contracts.audit import Act
from vestibule.contracts.entries import PRINTABLE
from vestibule.contracts.errors import InvalidInput, PersonalDataFound, ScanImpossible, TokenInFile, TokenNotFound
from vestibule.contracts.identity import SENDER_PATTERN, TenantName
from vestibule.contracts.json_types import AS_INTEGER, Timestamp, any_of, not_both
from vestibule.contracts.scopes import ALL_SCOPES, ANY_TOKEN, ROLES, SCOPES
from vestibule.contracts.tokens import MOST_NAME_CHARS, MOST_SCOPES, Quota, StoredToken
from vestibule.service_kit.audit.acts import audited, note_act
from vestibule.service_kit.auth.authentication import GuardedRoute, VisibilityPart, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, prefix="/tokens", tags=["tokens"], dependencies=[allow("tokens")])
own_router = APIRouter(route_class=GuardedRoute, tags=["tokens"], dependencies=[allow(ANY_TOKEN)])

LONGEST_LIFE_S = 20 * 366 * 86_400
LONGEST_OVERLAP_S = 90 * 86_400
USUAL_OVERLAP_S = 86_400
KNOWN_SCOPES = (*SCOPES, ALL_SCOPES)
CHANGE_PROBLEMS = problem_responses(TokenNotFound, TokenInFile, InvalidInput, 503)
# A token is shown once, and no proxy may keep it.
NOT_KEPT = {"Cache-Control": "no-store"}
ID_EXAMPLE = "019ad6f3c2401f2e3d"

TokenIdPart = Annotated[
    str, Path(pattern=f"^{SENDER_PATTERN}$", description="The `id` of the token", examples=[ID_EXAMPLE])
]


def _known(scope: str) -> str:
    if scope not in KNOWN_SCOPES:
        raise ValueError("must be a known scope")
    return scope


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must consist of printable characters")
    return text


Scope = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": list(KNOWN_SCOPES)})]


class TokenRequest(BaseModel):
    """A token to create: its scopes, or a role, which is a bundle of scopes, or both."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "importer", "scopes": ["add", "read"], "expires_in_s": 7_776_000}],
            **not_both("expires_in_s", "expires_at"),
            **any_of("role", scopes={"minItems": 1}),
        },
    )

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MOST_NAME_CHARS,
            description="The name of the caller; screened like every text that people read",
            json_schema_extra={"pattern": PRINTABLE},
            examples=["importer"],
        ),
        AfterValidator(_printable),
    ]
    scopes: list[Scope] = Field(default=[], max_length=MOST_SCOPES, description="What it may do")
    role: Literal["developer", "on-call", "operator", "privacy"] | None = Field(
        default=None, description="A bundle of scopes, in addition to `scopes`"
    )
    tenant: TenantName | None = Field(
        default=None, description="Your own if absent; another one needs the scope `operator`"
    )
    expires_in_s: Annotated[int, Field(ge=1, le=LONGEST_LIFE_S), AS_INTEGER] | None = Field(
        default=None, description="Seconds until it expires"
    )
    expires_at: Timestamp | None = Field(
        default=None, description="When it expires; without either, when your token does"
    )
    quota: Quota | None = None

    def terms(self) -> TokenTerms:
        """Return what the token is to allow.

        Raises:
            InvalidInput: it would allow nothing, or has two expiries.
        """
        scopes = frozenset(self.scopes) | ROLES.get(self.role or "", frozenset())
        if not scopes:
            raise _wrong("scopes", "at least one scope, or a role")
        if self.expires_in_s is not None and self.expires_at is not None:
            raise _wrong("expires_at", "not together with `expires_in_s`")
        expires_at = self.expires_at
        if self.expires_in_s is not None:
            expires_at = datetime.now(UTC) + timedelta(seconds=self.expires_in_s)
        return TokenTerms(self.name, scopes, self.tenant, expires_at, self.quota)


class RotationRequest(BaseModel):
    """How long the token that is replaced is still accepted."""

    model_config = ConfigDict(extra="forbid")

    overlap_s: Annotated[int, Field(ge=0, le=LONGEST_OVERLAP_S), AS_INTEGER] = Field(
        default=USUAL_OVERLAP_S, description="Seconds until the token before it is refused; 0 at once"
    )


class TokenView(BaseModel):
    """A token, without the token."""

    id: str = Field(examples=[ID_EXAMPLE])
    name: str = Field(examples=["importer"])
    tenant: str
    scopes: list[str] = Field(examples=[["add", "read"]])
    created_at: datetime
    created_by: str | None = Field(description="The id of the token that created it", examples=["development"])
    expires_at: datetime | None
    quota: Quota | None
    source: Literal["database", "file"] = Field(
        description="Where it is: in the database service, or in a file that an operator changes on the host"
    )
    rotated_until: datetime | None = Field(
        default=None, description="Until when the token before the last rotation is accepted; null: it is not"
    )
    last_used_at: datetime | None = Field(default=None, description="At most a minute behind; null: not yet")
    refused: int = Field(default=0, description="Requests that were refused: over a quota, or for lack of a scope")
    leaks: int = Field(default=0, description="Alerts about personal data and secrets in its requests within 7 days")


class CreatedToken(TokenView):
    """A token that was created or rotated, with the token itself: it is shown here and never again."""

    token: str = Field(examples=["vst_Q2hvb3NlIGEgYmV0dGVyIG9uZSB0aGFuIHRoaXMu"])


class TokenList(BaseModel):
    """Tokens by id, and where the next page starts."""

    tokens: list[TokenView]
    cursor: str | None = Field(
        description="Pass it as `cursor` for the next page; null on the last page", examples=[ID_EXAMPLE]
    )


class OwnToken(BaseModel):
    """The token of the request, without the token: who it is, and what it may do."""

    id: str = Field(examples=[ID_EXAMPLE])
    name: str = Field(examples=["reports"])
    tenant: str = Field(description="The tenant that it belongs to", examples=["default"])
    scopes: list[str] = Field(description="Every scope that it has; `*` is written out", examples=[["add", "read"]])
    expires_at: datetime | None = Field(description="When it is no longer accepted", examples=["2027-01-01T00:00:00Z"])


@own_router.get("/tokens/self", responses=problem_responses())
async def get_own_token(caller: CallerPart) -> OwnToken:
    """Return what is known of the token that you send: its id, its name, its tenant and its scopes."""
    scopes = {scope for scope in SCOPES if caller.may(scope)}
    return OwnToken(
        id=caller.token_id,
        name=caller.name,
        tenant=caller.tenant,
        scopes=sorted(scopes),
        expires_at=caller.expires_at,
    )


@router.get("", responses=problem_responses(422, 503))
async def list_tokens(
    wiring: WiringPart,
    visibility: VisibilityPart,
    limit: Annotated[int, Query(ge=1, le=1000, description="Tokens per page")] = 100,
    cursor: Annotated[
        str | None,
        Query(pattern=f"^{SENDER_PATTERN}$", description="The `cursor` of the previous page", examples=[ID_EXAMPLE]),
    ] = None,
) -> TokenList:
    """Return the tokens of your tenant by id, a page at a time; with the scope `operator` those of all tenants."""
    listed, next_cursor = await wiring.token_service.page(visibility, limit, cursor)
    return TokenList(tokens=[TokenView(**_members(one)) for one in listed], cursor=next_cursor)


@router.post(
    "",
    status_code=201,
    response_model=CreatedToken,
    responses=problem_responses(InvalidInput, PersonalDataFound, ScanImpossible, 503),
)
@audited(Act.TOKEN_MADE)
async def create_token(request: Annotated[TokenRequest, Body()], wiring: WiringPart, caller: CallerPart) -> Response:
    """Create a token and show it, once. It can have scopes that your token has; `operator` has to be given by name."""
    terms = request.terms()
    await wiring.screener.refuse_findings("name", terms.name)
    await wiring.screener.refuse_findings("tenant", terms.tenant or "")
    secret, token = await wiring.token_service.create(terms, caller)
    note_act(target=token.id)
    return _shown_once(secret, token, status=201)


@router.post("/{token_id}/rotate", response_model=CreatedToken, responses=CHANGE_PROBLEMS)
@audited(Act.TOKEN_ROTATED)
async def rotate_token(
    token_id: TokenIdPart,
    request: Annotated[RotationRequest, Body()],
    wiring: WiringPart,
    caller: CallerPart,
    visibility: VisibilityPart,
) -> Response:
    """Give a token another secret and show it, once; the one before it is accepted for `overlap_s`.

    Two are accepted at a time: an older one ends. Your token needs every scope of the token.
    """
    overlap = timedelta(seconds=request.overlap_s)
    secret, token = await wiring.token_service.rotate(token_id, overlap, caller, visibility)
    return _shown_once(secret, token)


@router.delete("/{token_id}", responses=CHANGE_PROBLEMS)
@audited(Act.TOKEN_REVOKED)
async def revoke_token(
    token_id: TokenIdPart, wiring: WiringPart, caller: CallerPart, visibility: VisibilityPart
) -> dict[str, str]:
    """Revoke a token: here at once, everywhere within two seconds. That of an operator needs the scope `operator`."""
    await wiring.token_service.revoke(token_id, caller, visibility)
    return {"status": "revoked"}


def _shown_once(secret: str, token: StoredToken, status: int = 200) -> JSONResponse:
    view = CreatedToken(token=secret, **_members(ListedToken(token, is_in_file=False, use=None, leaks=0)))
    return JSONResponse(view.model_dump(mode="json"), status, headers=NOT_KEPT)


def _members(listed: ListedToken) -> dict[str, Any]:
    token, use = listed.token, listed.use
    return {
        **token.model_dump(exclude={"secrets"}),
        "source": "file" if listed.is_in_file else "database",
        "rotated_until": listed.old_secret_until,
        "last_used_at": None if use is None else datetime.fromtimestamp(use.last_used_at, UTC),
        "refused": 0 if use is None else use.refused,
        "leaks": listed.leaks,
    }


def _wrong(name: str, expected: str) -> InvalidInput:
    mistake = {"where": f"body/{name}", "kind": "invalid", "expected": expected}
    return InvalidInput(f"The request is not valid. Check: body/{name}.", errors=[mistake])

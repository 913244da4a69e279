"""Forms that the policy file defines: the fields of each, who may send it from where, and what follows."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from vestibule.contracts.entries import MAX_KEY_BYTES, MAX_VALUE_BYTES, Key
from vestibule.contracts.identity import TenantName
from vestibule.contracts.json_types import AS_INTEGER, Flag
from vestibule.contracts.tasks import DEFAULT_PROCESSOR

FORM_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,47}$"
FIELD_PATTERN = r"^[A-Za-z_][A-Za-z0-9_.\[\]-]{0,99}$"
MAX_FIELD_CHARS = 10_000
# Parts of other requests, which policy and alerts know by these names.
RESERVED_FIELDS = frozenset({"key", "options", "result"})
ANY_ORIGIN = "*"
# What a public form takes in a minute where its definition does not say: from everybody, and from one address.
PUBLIC_PER_MINUTE, PUBLIC_PER_ADDRESS = 600, 10
_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(\[[0-9a-f:.]+\]|[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?)(:(?P<port>[1-9][0-9]{0,4}))?"
)
# Browsers leave these out.
_DEFAULT_PORTS = {"http": "80", "https": "443"}
# Only what may stand in a header, since it becomes one.
_ADDRESS = re.compile(r"https?://(?![/?#])[\x21-\x7e]{1,2000}")
# That of the id of a form, which follows `write_to`.
_ID_BYTES = 36


def _valid_origin(text: str) -> str:
    if text == ANY_ORIGIN:
        return text
    found = _ORIGIN.fullmatch(text)
    if found is None or found["port"] == _DEFAULT_PORTS[found["scheme"]]:
        raise ValueError(
            "must be as browsers send it, such as https://www.example.org: in lower case, without a path, "
            "and without the port that is the usual one"
        )
    return text


def _valid_address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise ValueError("must be an address such as https://www.example.org/thanks, other characters as %C3%B6 for ö")
    return text


def _no_reserved_name(text: str) -> str:
    if text in RESERVED_FIELDS:
        raise ValueError(f"no field can have the name {text}, which is that of a part of other requests")
    return text


FormName = Annotated[str, StringConstraints(pattern=FORM_PATTERN)]
FieldName = Annotated[str, StringConstraints(pattern=FIELD_PATTERN), AfterValidator(_no_reserved_name)]
_Origin = Annotated[str, AfterValidator(_valid_origin)]
_Address = Annotated[str, AfterValidator(_valid_address)]
_Limit = Annotated[int, Field(ge=1, le=1_000_000), AS_INTEGER]


class FormField(BaseModel):
    """A field of a form."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    required: Flag = False
    max_chars: Annotated[int, Field(ge=1, le=MAX_VALUE_BYTES), AS_INTEGER] = MAX_FIELD_CHARS


class FormDefinition(BaseModel):
    """What a form takes, who may send it from where, and what happens with what came in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    note: str = ""
    fields: Mapping[FieldName, FormField] = {}
    # Whether fields that are not defined are taken, too.
    other_fields: Flag = False
    # A field that people do not see and so leave empty.
    honeypot: FieldName | None = None
    # Whether no token is needed.
    public: Flag = False
    # The names or ids of the tokens that may send it; without any, all with the scope `forms`.
    tokens: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    tenant: TenantName | None = None
    # The pages that may send it and read the answer.
    origins: tuple[_Origin, ...] = ()
    requests_per_minute: _Limit | None = None
    requests_per_address: _Limit | None = None
    processor: str | None = Field(default=None, max_length=100)
    options: Mapping[str, Any] = {}
    # The result is stored under this and the id of the form.
    write_to: Key | None = None
    callback: _Address | None = None
    # Where browsers without script are sent: after what was stored, and after what was refused.
    redirect: _Address | None = None
    redirect_refused: _Address | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.fields and not self.other_fields:
            raise ValueError("a form needs fields, or other_fields = true")
        if self.honeypot in self.fields:
            raise ValueError("the honeypot cannot be one of the fields")
        if self.public and (not self.origins or ANY_ORIGIN in self.origins):
            raise ValueError("a public form needs origins, each by its name")
        if self.requests_per_minute is not None and not self.public:
            raise ValueError("requests_per_minute is for a public form; a token has a quota of its own")
        if self.public and self.tokens:
            raise ValueError("a form has tokens or is public, not both")
        if self.processor is None and (self.options or self.write_to or self.callback):
            raise ValueError(f'options, write_to and callback need a processor, such as "{DEFAULT_PROCESSOR}"')
        if self.write_to is not None and not self.write_to.endswith("/"):
            raise ValueError("write_to is the start of keys and ends with /")
        if self.write_to is not None and len(self.write_to.encode()) + _ID_BYTES > MAX_KEY_BYTES:
            raise ValueError(f"write_to has at most {MAX_KEY_BYTES - _ID_BYTES} bytes; the id of the form follows it")
        return self

    @property
    def per_minute(self) -> int | None:
        """How many a minute are taken from all addresses together; None is without a limit."""
        return self.requests_per_minute or (PUBLIC_PER_MINUTE if self.public else None)

    @property
    def per_address(self) -> int | None:
        """How many a minute are taken from one address; None is without a limit."""
        return self.requests_per_address or (PUBLIC_PER_ADDRESS if self.public else None)

    def allows_origin(self, origin: str) -> bool:
        """Say whether pages of an origin may send the form and read the answer."""
        return origin in self.origins or ANY_ORIGIN in self.origins

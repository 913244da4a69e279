"""The options of a scan: what it looks for, what it leaves out, and what it says of each finding."""

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from typing import Annotated, Any

from fastapi import Query
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vestibule.contracts.errors import InvalidInput
from vestibule.contracts.json_types import Flag, Number
from vestibule.detection import InvalidDetector, Scanner
from vestibule.detection.catalogue import nearest
from vestibule.detection.options import DEFAULTS

MOST_ENTITIES, MOST_ALLOWED, MOST_PATTERNS = 200, 1000, 10
MAX_FIELD_CHARS = 200

EntityText = Annotated[str, Field(max_length=100)]
AllowedText = Annotated[str, Field(max_length=1000)]
ScoreBound = Annotated[Number, Field(ge=0, le=1)]

# The same options in the query. What a body says of an option counts before it.
EntitiesQuery = Annotated[
    str | None,
    Query(max_length=8192, description="As `entities` in the body, separated by commas", examples=["EMAIL_ADDRESS"]),
]
IgnoredQuery = Annotated[
    str | None,
    Query(
        max_length=8192, description="As `ignored_entities` in the body, separated by commas", examples=["IP_ADDRESS"]
    ),
]
MinScoreQuery = Annotated[float | None, Query(ge=0, le=1, description="As `min_score` in the body", examples=[0.6])]
FieldQuery = Annotated[
    str | None,
    Query(max_length=MAX_FIELD_CHARS, description="As `field` in the body; not with CSV", examples=["comment"]),
]
ExplainQuery = Annotated[bool | None, Query(description="As `explain` in the body", examples=[True])]
TreatQuery = Annotated[bool | None, Query(description="As `treat` in the body", examples=[False])]


class ScanOptions(BaseModel):
    """What a scan looks for, and what it says. Each option narrows what the service looks for, and none widens it."""

    model_config = ConfigDict(extra="forbid")

    entities: list[EntityText] | None = Field(
        default=None, max_length=MOST_ENTITIES, description="Only these", examples=[["EMAIL_ADDRESS", "PHONE_NUMBER"]]
    )
    ignored_entities: list[EntityText] | None = Field(
        default=None, max_length=MOST_ENTITIES, description="Never these", examples=[["IP_ADDRESS"]]
    )
    min_score: ScoreBound = Field(default=0.0, description="Leave out findings with a lower score", examples=[0.6])
    thresholds: dict[EntityText, ScoreBound] | None = Field(
        default=None,
        max_length=MOST_ENTITIES,
        description="The same for single entities, in place of `min_score`",
        examples=[{"IP_ADDRESS": 0.9}],
    )
    allow: list[AllowedText] | None = Field(
        default=None, max_length=MOST_ALLOWED, description="Values that are no finding", examples=[["info@example.org"]]
    )
    allow_patterns: list[AllowedText] | None = Field(
        default=None,
        max_length=MOST_PATTERNS,
        description="Regular expressions of whole values that are no finding: without lookaround, in linear time",
        examples=[["[a-z]{1,20}@example[.]org"]],
    )
    allow_fingerprints: list[Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] | None = Field(
        default=None,
        max_length=MOST_ALLOWED,
        description="HMAC-SHA-256 of values that are no finding, by `fingerprint_key`",
        examples=[["a" * 64]],
    )
    fingerprint_key: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="The key of `allow_fingerprints`"
    )
    field: Annotated[str, Field(max_length=MAX_FIELD_CHARS)] | None = Field(
        default=None,
        description="The name of the field or key that the text belongs to; it is context, as a label before the value",
        examples=["comment"],
    )
    explain: Flag = Field(default=False, description="Return the reasons of each finding")
    treat: Flag = Field(
        default=False,
        description="Also return what the policy would do if the text came to `POST /add` under the key `field`",
    )

    def narrow(self, scanner: Scanner, of_query: Collection[str]) -> Scanner:
        """Return a scanner that finds what these options leave of what `scanner` finds.

        `of_query` are the names of the options that the query states, and not the body.

        Raises:
            InvalidInput: an entity is unknown, or a pattern is invalid.
        """
        self._check_entities(scanner.entities, of_query)
        options = DEFAULTS._replace(
            entities=None if self.entities is None else frozenset(self.entities),
            ignored_entities=frozenset(self.ignored_entities or ()),
            thresholds=self.thresholds or {},
            allowed_values=frozenset(self.allow or ()),
            allowed_patterns=tuple(self.allow_patterns or ()),
            allowed_fingerprints=frozenset(self.allow_fingerprints or ()),
            fingerprint_key=self.fingerprint_key,
        )
        try:
            return scanner.narrowed(options, self.min_score)
        except InvalidDetector:
            expected = "regular expressions without lookaround that match in linear time"
            raise invalid("body/allow_patterns", "expression", expected) from None

    def _check_entities(self, known: Collection[str], of_query: Collection[str]) -> None:
        named = {
            "entities": self.entities,
            "ignored_entities": self.ignored_entities,
            "thresholds": self.thresholds,
        }
        mistakes: list[Mistake] = []
        for option, names in named.items():
            place = "query" if option in of_query else "body"
            mistakes += _unknown(f"{place}/{option}", list(names or ()), known)
        if self.allow_fingerprints and not self.fingerprint_key:
            mistakes.append(("body/fingerprint_key", "missing", "the key of `allow_fingerprints`"))
        if mistakes:
            raise invalid(*mistakes[0], more=mistakes[1:10])


Mistake = tuple[str, str, str]


def invalid(where: str, kind: str, expected: str, *, more: Sequence[Mistake] = ()) -> InvalidInput:
    """Return the error of an option that is not valid, and of `more` of them."""
    mistakes = [
        {"where": place, "kind": name, "expected": what} for place, name, what in [(where, kind, expected), *more]
    ]
    places = ", ".join(dict.fromkeys(mistake["where"] for mistake in mistakes))
    return InvalidInput(f"The options of the scan are not valid. Check: {places}.", errors=mistakes)


def _unknown(option: str, names: Sequence[str], known: Collection[str]) -> Iterator[Mistake]:
    for number, name in enumerate(names):
        if name not in known:
            # The name itself may hold anything, so it is not repeated.
            close = ", ".join(nearest(name, known))
            near = f"the nearest are {close}" if close else "`vestibule detectors` lists them"
            yield f"{option}/{number}", "unknown_entity", f"an entity that this service looks for; {near}"


def read_options(query: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[ScanOptions, Set[str]]:
    """Return the options of a query, and those `given` in a body, which count before them; and which the query states.

    Raises:
        RequestValidationError: one is not valid.
    """
    stated = {name: value for name, value in query.items() if value is not None and name in ScanOptions.model_fields}
    for name in ("entities", "ignored_entities"):
        if name in stated:
            stated[name] = stated[name].split(",")
    try:
        options = ScanOptions.model_validate({**stated, **given})
    except ValidationError as error:
        found: list[Any] = error.errors(include_url=False, include_input=False)
        raise RequestValidationError([{**one, "loc": ("query", *one["loc"])} for one in found]) from None
    return options, stated.keys() - given.keys()

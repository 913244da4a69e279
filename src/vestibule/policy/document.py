"""Parses the policy file into rules, and reports each mistake with its line."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from vestibule.contracts.entries import MAX_TTL_S
from vestibule.contracts.identity import TenantName
from vestibule.contracts.tokens import Quota
from vestibule.policy.decision import Action, RuleSeverity
from vestibule.policy.forms import FormDefinition, FormName
from vestibule.policy.retention import RetentionRule
from vestibule.policy.rule_index import PolicyRule, Scope

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_PART = re.compile(r"""[^."'\s]+|"[^"]*"|'[^']*'""")
_KEY = re.compile(r"""^\s*(?P<key>[A-Za-z0-9_-]+|"[^"]*"|'[^']*')\s*[.=]""")
TomlPath = tuple[str | int, ...]
MAX_FILE_BYTES = 1024 * 1024
MAX_RULES = 20_000
TOKEN_PREFIX = "vst_"  # noqa: S105 - the prefix of tokens, not a token
Names = Annotated[tuple[str, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The known entities, their groups, and the routes that are screened."""

    entities: frozenset[str]
    groups: Mapping[str, frozenset[str]]
    routes: frozenset[str]

    def suggest(self, name: str) -> str:
        """Return a suggestion for an unknown name of an entity or a group, as the end of a sentence."""
        known = [*sorted(self.entities), *sorted(self.groups)]
        close = get_close_matches(name, known, n=1) or get_close_matches(name.upper(), known, n=1)
        if close:
            return f"; did you mean {close[0]}?"
        return "; `vestibule detectors` lists the entities, and the groups are " + ", ".join(sorted(self.groups))


class InvalidPolicy(ValueError):
    """The policy file is invalid; the message has the line and the reason, and repeats only names."""

    def __init__(self, path: Path, line: int | None, reason: str) -> None:
        place = f"{path}, line {line}" if line else str(path)
        super().__init__(f"invalid policy {place}: {reason}")
        self.path = path
        self.line = line
        self.reason = reason


def _line_in_message(message: str, text: str) -> int:
    """Return the line that a message of the TOML parser names; without one it means the end of the document."""
    found = re.search(r"line (\d+)", message)
    return int(found.group(1)) if found else max(1, len(text.splitlines()))


def _find_lines(text: str) -> dict[TomlPath, int]:
    """Return the line of each table and key of a TOML document by its path in the parsed document."""
    positions: dict[TomlPath, int] = {}
    counts: dict[str, int] = {}
    table: TomlPath = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            name = header.group(2)
            table = tuple(_bare(part) for part in _PART.findall(name))
            if header.group(1) == "[[":
                table = (*table, counts.get(name, 0))
                counts[name] = counts.get(name, 0) + 1
            for length in range(1, len(table) + 1):
                positions.setdefault(table[:length], number)
        elif key := _KEY.match(line):
            positions.setdefault((*table, _bare(key.group("key"))), number)
    return positions


def _bare(name: str) -> str:
    return name.strip("\"'")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RuleEffect(_Strict):
    """The effect of a rule; less specific rules apply to what it does not set."""

    action: Action | None = None
    threshold: float | None = Field(default=None, ge=0, le=1)
    severity: RuleSeverity | None = None


def _expand_action(given: object) -> object:
    return {"action": given} if isinstance(given, str) else given


ShortRuleEffect = Annotated[RuleEffect, BeforeValidator(_expand_action)]


class ConditionalRule(RuleEffect):
    """A rule with conditions. Each list holds alternatives; an absent one matches everything."""

    note: str = ""
    entities: Names | None = None
    tokens: Names | None = None
    key_prefixes: Names | None = None
    routes: Names | None = None
    fields: Names | None = None


RuleTtl = Annotated[float, Field(strict=True, gt=0, le=MAX_TTL_S, allow_inf_nan=False)]


class RetentionTable(_Strict):
    """How long entries are kept. Each list holds alternatives; an absent one matches everything."""

    note: str = ""
    key_prefixes: Names | None = None
    entities: Names | None = None
    default_ttl_s: RuleTtl | None = None
    max_ttl_s: RuleTtl | None = None


class ProcessingTable(_Strict):
    """What the record of processing activities says of the whole installation."""

    controller: str = ""
    contact: str = ""
    purpose: str = ""
    legal_basis: str = ""
    data_subjects: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    safeguards: str = ""


class GuardrailTable(_Strict):
    """What holds for calls of language models, beside the rules. `reveal` has names or ids of callers' tokens."""

    images: Literal["alert", "block"] = "alert"
    reveal: tuple[str, ...] = ()

    def reveals_to(self, token_id: str | None, token_name: str | None) -> bool:
        """Whether answers of the model get the values back that stand-ins and tokens in them stand for."""
        return token_id in self.reveal or token_name in self.reveal


class PurposeTable(_Strict):
    """What entries under some keys are for; what it leaves out is as in `[processing]`."""

    key_prefixes: Names
    purpose: str = Field(min_length=1)
    legal_basis: str = ""
    data_subjects: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()


class PolicyDocument(_Strict):
    """A whole policy file."""

    dry_run: bool = False
    keep_clean: bool = False
    default: ShortRuleEffect = RuleEffect()
    groups: Mapping[str, Names] = {}
    entities: Mapping[str, ShortRuleEffect] = {}
    rules: tuple[ConditionalRule, ...] = ()
    tenants: Mapping[str, str] = {}
    quotas: Mapping[TenantName, Quota] = {}
    retention: tuple[RetentionTable, ...] = ()
    processing: ProcessingTable = ProcessingTable()
    purposes: tuple[PurposeTable, ...] = ()
    forms: Mapping[FormName, FormDefinition] = {}
    guardrail: GuardrailTable = GuardrailTable()


class DocumentReader:
    """Reads a policy file and locates its mistakes."""

    def __init__(self, path: Path, text: str, vocabulary: Vocabulary) -> None:
        self._path = path
        self._text = text
        self._lines = _find_lines(text)
        self._vocabulary = vocabulary
        self.document = self._parse()
        self.groups = self._check_groups()

    def rules(self) -> list[PolicyRule]:
        """Return the rules of the file, one for each combination of conditions.

        Raises:
            InvalidPolicy: a name is unknown, or a rule has no effect or no condition.
        """
        rules = [*self._default(), *self._by_entity(), *self._with_conditions()]
        if len(rules) > MAX_RULES:
            raise self._mistake(("rules",), f"more than {MAX_RULES:,} combinations of conditions")
        return rules

    def _parse(self) -> PolicyDocument:
        try:
            return PolicyDocument.model_validate(tomllib.loads(self._text))
        except tomllib.TOMLDecodeError as error:
            message = str(error)
            raise InvalidPolicy(self._path, _line_in_message(message, self._text), f"invalid TOML: {message}") from None
        except ValidationError as error:
            mistake = error.errors()[0]
            raise self._mistake(mistake["loc"], _reason(mistake)) from None

    def _check_groups(self) -> dict[str, frozenset[str]]:
        known = self._vocabulary
        for name, entities in self.document.groups.items():
            if name in known.entities or name in known.groups:
                raise self._mistake(("groups", name), f"{name} is already the name of an entity or of a built-in group")
            for entity in entities:
                if entity not in known.entities:
                    raise self._mistake(("groups", name), f"unknown entity {entity}{known.suggest(entity)}")
        return {**known.groups, **{name: frozenset(given) for name, given in self.document.groups.items()}}

    def _default(self) -> Iterator[PolicyRule]:
        if self.document.default != RuleEffect():
            yield self._rule(Scope(), self.document.default, ("default",))

    def _by_entity(self) -> Iterator[PolicyRule]:
        for name, effect in self.document.entities.items():
            yield self._rule(self._scope_of(name, ("entities", name)), effect, ("entities", name))

    def _with_conditions(self) -> Iterator[PolicyRule]:
        for number, rule in enumerate(self.document.rules):
            self._check_rule(rule, number)
            lists = (rule.entities, rule.tokens, rule.key_prefixes, rule.routes, rule.fields)
            for entity, *others in product(*(names or (None,) for names in lists)):
                kind = self._scope_of(entity, ("rules", number, "entities")) if entity else Scope()
                yield self._rule(Scope(kind.entity, kind.group, *others), rule, ("rules", number))

    def _check_rule(self, rule: ConditionalRule, number: int) -> None:
        if rule.action is None and rule.threshold is None and rule.severity is None:
            raise self._mistake(("rules", number), "a rule needs an action, a threshold or a severity")
        if not (rule.entities or rule.tokens or rule.key_prefixes or rule.routes or rule.fields):
            raise self._mistake(("rules", number), "a rule needs conditions; without any, use `default`")
        for route in rule.routes or ():
            if route not in self._vocabulary.routes:
                known = ", ".join(sorted(self._vocabulary.routes))
                raise self._mistake(("rules", number, "routes"), f"unknown route; the policy applies to {known}")
        for token in rule.tokens or ():
            if token.startswith(TOKEN_PREFIX):
                raise self._mistake(
                    ("rules", number, "tokens"), "use the name or the id of a token, never the token itself"
                )
        if "" in (rule.key_prefixes or ()) or "" in (rule.tokens or ()):
            raise self._mistake(("rules", number), "a key prefix or token is empty")

    def retention(self) -> list[RetentionRule]:
        """Return the rules about how long entries are kept.

        Raises:
            InvalidPolicy: one names an unknown entity, sets nothing, or has a default above its ceiling.
        """
        return [
            self._retention_rule(table, ("retention", number)) for number, table in enumerate(self.document.retention)
        ]

    def _retention_rule(self, table: RetentionTable, place: TomlPath) -> RetentionRule:
        if table.default_ttl_s is None and table.max_ttl_s is None:
            raise self._mistake(place, "a retention rule needs a default_ttl_s or a max_ttl_s")
        if table.default_ttl_s and table.max_ttl_s and table.default_ttl_s > table.max_ttl_s:
            raise self._mistake((*place, "default_ttl_s"), "default_ttl_s is above max_ttl_s")
        if "" in (table.key_prefixes or ()):
            raise self._mistake((*place, "key_prefixes"), "a key prefix is empty")
        scopes = [self._scope_of(name, (*place, "entities")) for name in table.entities or ()]
        entities = [{one.entity} if one.entity else self.groups[one.group or ""] for one in scopes]
        return RetentionRule(
            table.key_prefixes or (),
            frozenset[str]().union(*entities),
            table.default_ttl_s,
            table.max_ttl_s,
            self._origin_of(place),
        )

    def _scope_of(self, name: str, toml_path: tuple[str | int, ...]) -> Scope:
        if name in self._vocabulary.entities:
            return Scope(entity=name)
        if name in self.groups:
            return Scope(group=name)
        raise self._mistake(toml_path, f"unknown entity or group {name}{self._vocabulary.suggest(name)}")

    def _rule(self, scope: Scope, effect: RuleEffect, toml_path: tuple[str | int, ...]) -> PolicyRule:
        return PolicyRule(scope, self._origin_of(toml_path), 1, effect.action, effect.threshold, effect.severity)

    def _origin_of(self, toml_path: TomlPath) -> str:
        line = self._line_of(toml_path)
        return f"{self._path.name}, line {line}" if line else self._path.name

    def _mistake(self, toml_path: tuple[str | int, ...], reason: str) -> InvalidPolicy:
        return InvalidPolicy(self._path, self._line_of(toml_path), reason)

    def _line_of(self, toml_path: TomlPath) -> int | None:
        """Return the line of the value at `toml_path`, counted from 1, or that of the nearest table around it."""
        around = (toml_path[:length] for length in range(len(toml_path), 0, -1))
        return next((self._lines[path] for path in around if path in self._lines), None)


def read_document(path: Path, vocabulary: Vocabulary) -> DocumentReader:
    """Read and parse the policy file `path`.

    Raises:
        InvalidPolicy: the file cannot be read or is invalid.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidPolicy(path, None, f"cannot be read: {error.strerror}") from None
    if len(content) > MAX_FILE_BYTES:
        raise InvalidPolicy(path, None, f"larger than {MAX_FILE_BYTES:,} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidPolicy(path, line, "not valid UTF-8") from None
    return DocumentReader(path, text, vocabulary)


_TABLE_NEEDED = frozenset({"model_type", "model_attributes_type", "dict_type", "mapping_type"})


def _reason(mistake: Any) -> str:
    # pydantic's messages name the violated rule and do not repeat the input.
    name = next((part for part in reversed(mistake["loc"]) if isinstance(part, str)), "policy")
    if mistake["type"] == "extra_forbidden":
        return f"unknown key `{name}`"
    if mistake["type"] == "too_short":
        return f"`{name}`: must have at least one name"
    if mistake["type"] in _TABLE_NEEDED:
        is_rule = mistake.get("ctx", {}).get("class_name") == RuleEffect.__name__
        expected = 'an action such as "redact", or a table' if is_rule else "a table"
        return f"`{name}`: must be {expected}"
    message = str(mistake["msg"]).removeprefix("Value error, ")
    return f"`{name}`: {message[0].lower()}{message[1:]}"

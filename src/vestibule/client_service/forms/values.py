"""The values of a form, their texts with the labels by which findings name them, and the object that is stored."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vestibule.client_service.screening.screener import FieldText
from vestibule.contracts.entries import MAX_VALUE_BYTES
from vestibule.contracts.errors import FormInvalid, TooLarge
from vestibule.policy.forms import MAX_FIELD_CHARS, FormDefinition
from vestibule.policy.policy import NAME_FIELD
from vestibule.policy.rule_index import LIST_MARK

Scalar = str | int | float | bool
FormValue = Scalar | None | list[Scalar | None]
# Fields that are not defined are named by their place: their names are the caller's words.
OTHER_FIELD = "field "


@dataclass(frozen=True, slots=True)
class FilledForm:
    """The values of a form by their names, as its definition allows them."""

    definition: FormDefinition
    values: Mapping[str, FormValue]

    def texts(self) -> list[FieldText]:
        """Return what is to be screened: each text and number by itself, and each name that is not defined."""
        texts = []
        for name, label in self._labels():
            if name not in self.definition.fields:
                number = label.removeprefix(OTHER_FIELD)
                texts.append(FieldText(f"{NAME_FIELD}{number}", name, None))
            texts += [FieldText(place, text, name) for place, text in _texts_of(label, self.values[name])]
        return texts

    def as_json(self, texts: Mapping[str, str]) -> str:
        """Return the object that is stored: with `texts`, by their labels, as the policy has changed them.

        Raises:
            TooLarge: it does not fit into a value.
        """
        stored = {name: _replaced(label, self.values[name], texts) for name, label in self._labels()}
        value = json.dumps(stored, ensure_ascii=False, allow_nan=False)
        if len(value.encode()) > MAX_VALUE_BYTES:
            raise TooLarge(f"A form may have at most {MAX_VALUE_BYTES:,} bytes as JSON.")
        return value

    def _labels(self) -> Iterator[tuple[str, str]]:
        for number, name in enumerate(self.values, 1):
            yield name, name if name in self.definition.fields else f"{OTHER_FIELD}{number}"


def fill(definition: FormDefinition, given: Mapping[str, FormValue]) -> FilledForm:
    """Hold what came in to the definition of the form.

    Raises:
        FormInvalid: a field is missing, too long or not defined, or the field is filled in that people do not see.
    """
    mistakes = [_mistake(name, "missing", "a value") for name in _missing(definition, given)]
    values = {name: value for name, value in given.items() if name != definition.honeypot}
    if definition.honeypot is not None and given.get(definition.honeypot) not in ("", None, []):
        mistakes.append(_mistake(definition.honeypot, "filled_in", "nothing: people do not see this field"))
    for number, (name, value) in enumerate(values.items(), 1):
        field = definition.fields.get(name)
        if field is None and not definition.other_fields:
            mistakes.append(_mistake(f"{OTHER_FIELD}{number}", "extra_forbidden", "defined fields only"))
            continue
        most = MAX_FIELD_CHARS if field is None else field.max_chars
        if any(len(_text_of(one) or "") > most for one in _several(value)):
            label = f"{OTHER_FIELD}{number}" if field is None else name
            mistakes.append(_mistake(label, "too_long", f"at most {most:,} characters"))
    if not values and not mistakes:
        mistakes.append({"where": "body", "kind": "missing", "expected": "at least one field"})
    if mistakes:
        listed = mistakes[:10]
        places = ", ".join(dict.fromkeys(one.get("field", one["where"]) for one in listed))
        raise FormInvalid(f"The form is not filled in as it has to be. Check: {places}.", errors=listed)
    return FilledForm(definition, values)


def _missing(definition: FormDefinition, given: Mapping[str, FormValue]) -> list[str]:
    required = [name for name, field in definition.fields.items() if field.required]
    return [name for name in required if all(one is None or one == "" for one in _several(given.get(name)))]


def _mistake(field: str, kind: str, expected: str) -> dict[str, str]:
    return {"where": f"body/{field}", "kind": kind, "expected": expected, "field": field}


def _several(value: FormValue) -> list[Scalar | None]:
    return value if isinstance(value, list) else [value]


def _text_of(value: Scalar | None) -> str | None:
    if isinstance(value, str):
        return value
    # A card number may be sent as a number; `true`, `false` and `null` say nothing about anybody.
    return None if value is None or isinstance(value, bool) else json.dumps(value)


def _texts_of(label: str, value: FormValue) -> Iterator[tuple[str, str]]:
    for number, one in enumerate(_several(value)):
        text = _text_of(one)
        if text:
            yield f"{label}{LIST_MARK}{number}" if isinstance(value, list) else label, text


def _replaced(label: str, value: FormValue, texts: Mapping[str, str]) -> FormValue:
    if isinstance(value, list):
        return [_replaced_one(f"{label}{LIST_MARK}{number}", one, texts) for number, one in enumerate(value)]
    return _replaced_one(label, value, texts)


def _replaced_one(label: str, value: Scalar | None, texts: Mapping[str, str]) -> Scalar | None:
    changed = texts.get(label)
    return value if changed is None or changed == _text_of(value) else changed

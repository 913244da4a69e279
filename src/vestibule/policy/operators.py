"""Anonymizing operators that a caller chooses for one request, with their parameters.

The policy's own are the actions of `anonymizer.py`; these take the same form there, a function of a value and its
entity. Their names and parameters are those of Presidio.
Source: presidio-anonymizer/presidio_anonymizer/operators of microsoft/presidio.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from typing import Any

from vestibule.encryption import CbcCipher, DecryptionFailed
from vestibule.policy.anonymizer import Replace, mask_chars

LEAST_SALT_BYTES, RANDOM_SALT_BYTES = 16, 32
Parameters = Mapping[str, Any]
_HASHES = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}
_JSON_NAMES = {str: "string", bool: "boolean", int: "number", list: "array"}


class OperatorRefused(ValueError):
    """The operator is unknown, or a parameter is missing or not valid; the message repeats nothing that was given."""


def build_anonymizer(name: str, parameters: Parameters) -> Replace:
    """Return the operator of that name.

    Raises:
        OperatorRefused: it is unknown, or a parameter is missing or not valid.
    """
    return _find(name, ANONYMIZERS)(parameters)


def build_deanonymizer(name: str, parameters: Parameters) -> Replace:
    """Return the operator of that name, which undoes another; it raises `DecryptionFailed`.

    Raises:
        OperatorRefused: it is unknown, or a parameter is missing or not valid.
    """
    return _find(name, DEANONYMIZERS)(parameters)


def _find(name: str, known: Mapping[str, Callable[[Parameters], Replace]]) -> Callable[[Parameters], Replace]:
    if name not in known:
        raise OperatorRefused("Invalid operator class.")
    return known[name]


def _replace(parameters: Parameters) -> Replace:
    given = parameters.get("new_value")
    if not given:
        return lambda _value, entity: f"<{entity}>"
    value: str = _typed(parameters, "new_value", str)
    return lambda _value, _entity: value


def _redact(_parameters: Parameters) -> Replace:
    return lambda _value, _entity: ""


def _keep(_parameters: Parameters) -> Replace:
    return lambda value, _entity: value


def _mask(parameters: Parameters) -> Replace:
    character: str = _required(parameters, "masking_char", str)
    if len(character) > 1:
        raise OperatorRefused("Invalid input, masking_char must be a character")
    count: int = _required(parameters, "chars_to_mask", int)
    from_end: bool = _required(parameters, "from_end", bool)
    return lambda value, _entity: mask_chars(value, character, count, from_end=from_end)


def _hash(parameters: Parameters) -> Replace:
    kind = parameters.get("hash_type", "sha256")
    if kind is None:
        raise OperatorRefused("Expected parameter hash_type")
    if not isinstance(kind, str) or kind not in _HASHES:
        raise OperatorRefused("Parameter hash_type value is not in range of values ['sha256', 'sha512']")
    digest = _HASHES[kind]
    if "salt" not in parameters:
        # Another one for each value: without it, whoever knows the likely values could find which one it is.
        return lambda value, _entity: digest(value.encode() + os.urandom(RANDOM_SALT_BYTES)).hexdigest()
    given = parameters["salt"]
    if not isinstance(given, str):
        raise OperatorRefused("Invalid parameter value for 'salt'.")
    salt = given.encode()
    if not salt:
        raise OperatorRefused(
            "Salt parameter cannot be empty. Either omit the salt parameter to auto-generate a random salt, or provide "
            "a salt of at least 16 bytes (128 bits)."
        )
    if len(salt) < LEAST_SALT_BYTES:
        raise OperatorRefused("Salt must be at least 16 bytes (128 bits).")
    return lambda value, _entity: digest(value.encode() + salt).hexdigest()


def _encrypt(parameters: Parameters) -> Replace:
    cipher = _cipher(parameters)
    return lambda value, _entity: cipher.encrypt(value)


def _decrypt(parameters: Parameters) -> Replace:
    cipher = _cipher(parameters)
    return lambda value, _entity: cipher.decrypt(value)


def _cipher(parameters: Parameters) -> CbcCipher:
    key: str = _required(parameters, "key", str)
    try:
        return CbcCipher(key.encode())
    except ValueError:
        raise OperatorRefused("Invalid input, key must be of length 128, 192 or 256 bits") from None


def _required(parameters: Parameters, name: str, kind: type) -> Any:
    if parameters.get(name) is None:
        raise OperatorRefused(f"Expected parameter {name}")
    return _typed(parameters, name, kind)


def _typed(parameters: Parameters, name: str, kind: type) -> Any:
    value = parameters[name]
    # A truth value is a number in Python, and none in JSON.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        given = _JSON_NAMES.get(type(value))
        if given is None:
            raise OperatorRefused(f"Invalid parameter value for '{name}'.")
        expected = _JSON_NAMES[kind]
        raise OperatorRefused(f"Invalid parameter value for {name}. Expecting '{expected}', but got '{given}'.")
    return value


ANONYMIZERS: Mapping[str, Callable[[Parameters], Replace]] = {
    "encrypt": _encrypt,
    "hash": _hash,
    "keep": _keep,
    "mask": _mask,
    "redact": _redact,
    "replace": _replace,
}
DEANONYMIZERS: Mapping[str, Callable[[Parameters], Replace]] = {"decrypt": _decrypt, "deanonymize_keep": _keep}
__all__ = [
    "ANONYMIZERS",
    "DEANONYMIZERS",
    "DecryptionFailed",
    "OperatorRefused",
    "build_anonymizer",
    "build_deanonymizer",
]

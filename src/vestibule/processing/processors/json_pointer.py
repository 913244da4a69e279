"""Extracts one part of a JSON document."""

import json
import math
import re
from typing import Any

from pydantic import Field

from vestibule.processing.ports import Job, NotJson, PointerLeadsNowhere
from vestibule.processing.processor import ConfigurableProcessor, Example, Options

POINTER = r"^(/([^~/]|~[01])*)*$"
INDEX = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)


class JsonPointerOptions(Options):
    """The part to extract."""

    pointer: str = Field(
        max_length=1000, pattern=POINTER, description="RFC 6901, as `/orders/0/id`; empty for the whole document"
    )


class JsonPointer:
    """Extracts the part at a JSON pointer: a string as it is, anything else as JSON.

    Source: RFC 6901, JavaScript Object Notation (JSON) Pointer; RFC 8259, where numbers are finite.
    """

    name = "json_pointer"
    description = "Extracts one part of a JSON document, by a JSON Pointer (RFC 6901)."
    options = JsonPointerOptions
    examples = (
        Example('{"orders": [{"id": "A-1", "n": 2}]}', "A-1", {"pointer": "/orders/0/id"}),
        Example('{"orders": [{"id": "A-1", "n": 2}]}', '{"id": "A-1", "n": 2}', {"pointer": "/orders/0"}),
        Example('{"a/b": {"m~n": true}}', "true", {"pointer": "/a~1b/m~0n"}),
        Example('{"": "under the empty name"}', "under the empty name", {"pointer": "/"}),
        Example('""', "", {"pointer": ""}),
    )

    def process(self, data: str, options: JsonPointerOptions, job: Job) -> str:  # noqa: ARG002 - it uses no port
        """Return the part of the document that the pointer refers to.

        Raises:
            NotJson: `data` is not valid JSON.
            PointerLeadsNowhere: the document has no such part.
        """
        found = _read(data)
        for token in options.pointer.split("/")[1:]:
            found = _step(found, token.replace("~1", "/").replace("~0", "~"))
        return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def _read(data: str) -> Any:
    try:
        return json.loads(data, parse_float=_finite, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise NotJson("not valid JSON") from None


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("number out of range")
    return number


def _refuse_constant(_name: str) -> Any:
    raise ValueError("not a JSON number")


def _step(within: Any, token: str) -> Any:
    if isinstance(within, dict) and token in within:
        return within[token]
    if isinstance(within, list) and INDEX.fullmatch(token) and int(token) < len(within):
        return within[int(token)]
    raise PointerLeadsNowhere("no value at this pointer")


PROCESSOR: ConfigurableProcessor = JsonPointer()

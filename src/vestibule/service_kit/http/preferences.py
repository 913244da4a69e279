"""Reads the preference `receipt` from the header `Prefer`.

Source: RFC 7240, "Prefer Header for HTTP".
"""

import re
from typing import Any

from fastapi import Request

from vestibule.service_kit.http.conditional import describe_header
from vestibule.service_kit.problems import RECEIPT

PREFER = "prefer"
# Commas and semicolons within quotes divide nothing.
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')

# The `openapi_extra` of routes that take the preference.
TAKES_PREFERENCE: dict[str, Any] = {
    "parameters": [
        {
            **describe_header(
                PREFER, "`receipt`, also within a list: the answer has a `receipt` of the decision; others are ignored"
            ),
            "example": RECEIPT,
        }
    ]
}


def wants_receipt(request: Request) -> bool:
    """Say whether a request prefers an answer with a receipt."""
    lines = ",".join(request.headers.getlist(PREFER))
    preferences = _QUOTED.sub("", lines).split(",")
    return any(one.partition(";")[0].rstrip(" \t=").strip(" \t").lower() == RECEIPT for one in preferences)

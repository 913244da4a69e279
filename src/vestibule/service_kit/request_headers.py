"""The headers of a request by name, collected once: the framework's own view searches the list for each name."""

from collections.abc import Mapping, MutableMapping
from typing import Any

_COLLECTED = "vestibule.headers"


def headers_of(scope: MutableMapping[str, Any]) -> Mapping[bytes, bytes]:
    """Return the headers of a request by their names in lower case; of several with one name the first."""
    headers: Mapping[bytes, bytes] | None = scope.get(_COLLECTED)
    if headers is None:
        headers = scope[_COLLECTED] = dict(reversed(scope["headers"]))
    return headers

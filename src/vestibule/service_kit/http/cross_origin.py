"""Lets pages of other origins read the answers of some routes, refusals included.

Source: WHATWG Fetch standard, section 3.3 (HTTP CORS protocol). Starlette's `CORSMiddleware` has one list of origins
for all routes, fixed at the start; here they are those of each path as they are now, and all other routes pay nothing.
No request is made with cookies, so none is allowed with credentials.
"""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import Scope

Header = tuple[bytes, bytes]
# What a page may read beside the body: `Content-Type` and the like it may always.
_EXPOSED = b"ETag, X-Request-ID, Retry-After, WWW-Authenticate, Accept-Post, Preference-Applied, Idempotency-Replayed"
_VARY: Header = (b"vary", b"Origin")


@dataclass(frozen=True, slots=True)
class CrossOrigin:
    """The paths that pages of other origins may use: all under `prefix`, from where `allows` says.

    `allows` takes the rest of the path and the origin.
    """

    prefix: str
    allows: Callable[[str, str], bool]

    def headers_of(self, scope: Scope) -> list[Header]:
        """Return the headers of the answer to a request under the prefix."""
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        if len(origins) != 1 or not self.allows(scope["path"].removeprefix(self.prefix), origins[0].decode("latin-1")):
            return [_VARY]
        return [
            _VARY,
            (b"access-control-allow-origin", origins[0]),
            (b"access-control-expose-headers", _EXPOSED),
        ]

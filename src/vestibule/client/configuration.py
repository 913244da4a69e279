"""What a client needs to know: addresses, token, timeouts and headers. The token is in no text of it."""

import os
import re
from urllib.parse import urlsplit

from vestibule.client.retry import Retry

DEFAULT_URL = "http://127.0.0.1:8000"
# The scheduler service of `vestibule up` is so many ports above the client service.
SCHEDULER_PORT_OFFSET = 3
LAST_PORT = 65_535
DEFAULT_TIMEOUT_S = 30.0
# The system takes no times that are much longer, and no infinite ones.
LONGEST_TIMEOUT_S = 1_000_000
# The token of `vestibule up`, which accepts it from this machine alone.
DEVELOPMENT_TOKEN = "SECRET_TOKEN"  # noqa: S105 - known to everybody
LOCAL_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})

_TOKEN = re.compile(r"[\x21-\x7e]+")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_ADDRESS = re.compile(r"https?://[^\s\x00-\x20\x7f@?#]+", re.IGNORECASE)
_HEADER = re.compile(r"[\x20-\x7e]*")


class Configuration:
    """The options of a client."""

    __slots__ = ("forwarded_for", "request_id", "retry", "scheduler_url", "timeout_s", "token", "url", "user_agent")

    def __init__(
        self,
        url: str,
        scheduler_url: str | None,
        token: str | None,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        retry: Retry | None = None,
        request_id: str | None = None,
        user_agent: str | None = None,
        forwarded_for: str | None = None,
    ) -> None:
        """Check what goes into headers: an invalid one would be repeated in an error of the HTTP library.

        Raises:
            ValueError: the token, the request id, the user agent, the address or the timeout is not valid; it is not
                repeated.
        """
        if token is not None and not _TOKEN.fullmatch(token):
            raise ValueError("the token must consist of printable ASCII characters, without spaces")
        if request_id is not None and not _REQUEST_ID.fullmatch(request_id):
            raise ValueError("request_id must be 1 to 128 letters, digits, `.`, `_` and `-`")
        if user_agent is not None and not _HEADER.fullmatch(user_agent):
            raise ValueError("user_agent must consist of printable ASCII characters")
        if forwarded_for is not None and not _HEADER.fullmatch(forwarded_for):
            raise ValueError("forwarded_for must consist of printable ASCII characters")
        if not 0 < timeout_s <= LONGEST_TIMEOUT_S:
            raise ValueError(f"timeout_s must be more than 0, and {LONGEST_TIMEOUT_S:,} at most")
        self.url = url
        self.scheduler_url = scheduler_url
        self.token = token
        self.timeout_s = timeout_s
        self.retry = retry or Retry()
        self.request_id = request_id
        self.user_agent = user_agent
        self.forwarded_for = forwarded_for

    def changed(
        self,
        timeout_s: float | None,
        retry: Retry | None,
        request_id: str | None,
        token: str | None = None,
        forwarded_for: str | None = None,
    ) -> "Configuration":
        """Return the same with other options; None keeps one. Raises: ValueError, if one is not valid."""
        return Configuration(
            self.url,
            self.scheduler_url,
            self.token if token is None else token,
            timeout_s=self.timeout_s if timeout_s is None else timeout_s,
            retry=retry or self.retry,
            request_id=request_id or self.request_id,
            user_agent=self.user_agent,
            forwarded_for=forwarded_for or self.forwarded_for,
        )

    def base_url(self, *, is_of_scheduler: bool) -> str:
        """Return the address of the client service, or of the scheduler service.

        Raises:
            ValueError: the address of the scheduler service is neither given nor can be derived.
        """
        if not is_of_scheduler:
            return self.url
        if self.scheduler_url is None:
            raise ValueError("the address of the scheduler service is not known; pass scheduler_url")
        return self.scheduler_url


def configure(
    url: str | None,
    token: str | None,
    scheduler_url: str | None,
    *,
    timeout_s: float,
    retry: Retry | None,
    request_id: str | None,
    user_agent: str | None,
) -> Configuration:
    """Return the configuration of a client: what is given, else what the environment says, else the local default.

    Raises:
        ValueError: an address or an option is not valid.
    """
    address = checked_url(url or os.environ.get("VESTIBULE_URL") or DEFAULT_URL)
    scheduler = scheduler_url or os.environ.get("VESTIBULE_SCHEDULER_URL") or derived_scheduler_url(address)
    return Configuration(
        address,
        None if scheduler is None else checked_url(scheduler),
        token or os.environ.get("VESTIBULE_TOKEN") or (DEVELOPMENT_TOKEN if is_local(address) else None),
        timeout_s=timeout_s,
        retry=retry,
        request_id=request_id,
        user_agent=user_agent,
    )


def checked_url(url: str) -> str:
    """Return an address without its last slash.

    Raises:
        ValueError: it is not an address of HTTP, or has a user, a query, a fragment or white space.
    """
    try:
        parts = urlsplit(url)
        # The HTTP library fails at such a name only with the first request.
        is_valid = bool((parts.hostname or "").encode("idna")) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid or not _ADDRESS.fullmatch(url):
        raise ValueError("the address must be http://HOST[:PORT] or https://HOST[:PORT], without a user or a query")
    return url.rstrip("/")


def is_local(url: str) -> bool:
    """Say whether an address is of this machine."""
    return urlsplit(url).hostname in LOCAL_HOSTS


def derived_scheduler_url(url: str) -> str | None:
    """Return the address of the scheduler service beside a client service: three ports above; None without a port."""
    parts = urlsplit(url)
    if parts.port is None or parts.port + SCHEDULER_PORT_OFFSET > LAST_PORT or parts.path not in ("", "/"):
        return None
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port + SCHEDULER_PORT_OFFSET}"

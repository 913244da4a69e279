"""httpx, without what only its command line needs, and without certificates where no address is of HTTPS."""

import ssl
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vestibule.client.configuration import Configuration

_COMMAND_LINE = "httpx._main"
# Services close idle connections after five seconds; one that is closed while a request is on its way loses it.
KEEP_ALIVE_S = 4.0
MAX_CONNECTIONS = 100
CONNECT_TIMEOUT_S = 5.0
# A stream without any event or comment for so long is cut.
MAX_STREAM_SILENCE_S = 45.0


def load_httpx() -> ModuleType:
    """Import httpx in half of the time: its command line would load click, rich and pygments."""
    if "httpx" not in sys.modules and _COMMAND_LINE not in sys.modules:
        # None makes the import fail as if the module was absent, which httpx is prepared for.
        sys.modules[_COMMAND_LINE] = None  # type: ignore[assignment]
        try:
            import httpx
        finally:
            del sys.modules[_COMMAND_LINE]
    else:
        import httpx
    return httpx


def tls_context(urls: Iterable[str | None], ca_file: str | None) -> ssl.SSLContext:
    """Return what checks certificates. Loading the usual authorities takes 55 ms, and only HTTPS needs them."""
    if any(url is not None and url.startswith("https:") for url in urls):
        return ssl.create_default_context(cafile=ca_file)
    # It trusts no certificate at all.
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def pool_options(configuration: "Configuration", ca_file: str | None, proxy: str | None) -> dict[str, object]:
    """Return the options of the connection pool: no redirects, and no proxies or passwords of the environment."""
    httpx = load_httpx()
    limits = httpx.Limits(
        max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS, keepalive_expiry=KEEP_ALIVE_S
    )
    return {
        "verify": tls_context((configuration.url, configuration.scheduler_url, proxy), ca_file),
        "limits": limits,
        "follow_redirects": False,
        "trust_env": False,
        "proxy": proxy,
    }

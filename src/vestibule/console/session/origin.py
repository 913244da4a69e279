"""Whether a request comes from a page of this console. Source: OWASP, Cross-Site Request Forgery Prevention."""

from urllib.parse import urlsplit

from fastapi import Request

from vestibule.contracts.errors import Refused


class ForeignOrigin(Refused):
    """The action comes from a page of another site."""

    slug, title = "origin-refused", "The origin of the page is not allowed"


def check_origin(request: Request) -> None:
    """Check that the page which sends an action has the host that it is sent to.

    Every browser sends the origin with a form; one that sends none has to say that it is of the same site. A proxy in
    front has to pass the header `Host` on.

    Raises:
        ForeignOrigin: it has another host, or does not say which.
    """
    origins = request.headers.getlist("origin")
    if not origins:
        is_own = request.headers.get("sec-fetch-site") == "same-origin"
    else:
        is_own = len(origins) == 1 and _host_of(origins[0]) == request.headers.get("host", "").lower() != ""
    if not is_own:
        raise ForeignOrigin("The action does not come from a page of this console.")


def is_secure(request: Request) -> bool:
    """Say whether the page of an action came over HTTPS, also where a proxy speaks plain HTTP to the console."""
    return request.headers.get("origin", "").startswith("https://")


def page_before(request: Request) -> str | None:
    """Return the address of the page of this console that an action was sent from, for a way back to it."""
    try:
        page = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return None
    address = page.path + (f"?{page.query}" if page.query else "")
    is_here = page.netloc.lower() == request.headers.get("host", "").lower() != ""
    return address if is_here and is_own_address(address) else None


def is_own_address(address: str) -> bool:
    """Say whether this is an address of this console: a path, and nothing that a browser takes for another host."""
    return address.startswith("/") and not address.startswith("//") and "\\" not in address and address.isprintable()


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""

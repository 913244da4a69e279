"""The pages of the console: every one that links lead to, and every action with a value in its fields."""

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx

from vestibule.cli.canary.requests import Canary
from vestibule.cli.canary.sinks import Place, ProofTarget
from vestibule.cli.canary.system import SystemFailed

# Pages of one kind differ in what they show alone.
MOST_OF_A_KIND, MOST_KINDS = 3, 250
SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
# What stands in an address in place of what it is about: ids, names and keys below these.
_ID = re.compile(r"[0-9a-f]{8,}|[0-9a-f-]{36}|\d+|.*[^a-z-].*")
# A stream of events has no end, and files for a browser have nothing of the system.
_NOT_PAGES = ("/assets/", "/requests/events")
# Actions by which a person asks for a value: its own answer has it, and nothing else.
_GIVES_OUT = re.compile(r".*/(result|reveal)")
_STORED_BY_NAME = frozenset({"key", "write_to"})
_TYPED = frozenset({"text", "search", "email", "url", "tel", "password", "textarea"})


@dataclass(frozen=True, slots=True)
class PageForm:
    """A form of an action: where it goes, what it sends as it is, and the names of what a person fills in."""

    action: str
    hidden: Mapping[str, str]
    typed: tuple[str, ...]


@dataclass
class PageLinks(HTMLParser):
    """Reads where a page leads: links, parts that htmx loads, and forms of actions."""

    addresses: list[str] = field(default_factory=list)
    forms: list[PageForm] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._form: tuple[str, dict[str, str], list[str]] | None = None
        self._select = ""

    @classmethod
    def of(cls, html: str) -> "PageLinks":
        """Return what a page leads to."""
        read = cls()
        read.feed(html)
        return read

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of an element."""
        given = {name: value or "" for name, value in attrs}
        self.addresses += [given[name] for name in ("href", "hx-get") if name in given and tag != "link"]
        if tag == "form" and given.get("method", "").lower() == "post":
            self._form = (given.get("action", ""), {}, [])
        elif tag == "select":
            self._select = given.get("name", "")
        elif self._form is not None:
            self._take_field(tag, given)

    def handle_endtag(self, tag: str) -> None:
        """Take note of a whole form."""
        if tag == "select":
            self._select = ""
        elif tag == "form" and self._form is not None:
            action, hidden, typed = self._form
            self.forms.append(PageForm(action, hidden, tuple(typed)))
            self._form = None

    def _take_field(self, tag: str, given: Mapping[str, str]) -> None:
        if self._form is None:
            return
        _, hidden, typed = self._form
        name, kind = given.get("name", ""), given.get("type", "text" if tag == "input" else tag)
        if tag == "option" and self._select:
            hidden.setdefault(self._select, given.get("value", ""))
        elif tag in ("input", "textarea") and name and kind in _TYPED:
            typed.append(name)
        elif tag == "input" and name:
            hidden[name] = given.get("value", "on")


def kind_of(address: str) -> tuple[str, ...]:
    """Return the kind of a page: its path without ids, and the names in its query."""
    parts = urlsplit(address)
    path = tuple("…" if _ID.fullmatch(one) else one for one in parts.path.split("/")[1:])
    return (*path, *sorted({name for name, _ in parse_qsl(parts.query)}))


def sign_in(http: httpx.Client, token: str) -> httpx.Response:
    """Open a session with a token; the client keeps its cookie."""
    return http.post(SIGN_IN, data={"token": token, "next": "/"}, headers=_origin(http))


def walk(http: httpx.Client, most_of_a_kind: int = MOST_OF_A_KIND) -> Iterator[tuple[str, httpx.Response]]:
    """Yield every page that links lead to, a few of each kind, in the order in which they are found."""
    waiting, known, seen = deque(["/"]), {"/"}, Counter[tuple[str, ...]]()
    while waiting and len(seen) < MOST_KINDS:
        address = waiting.popleft()
        kind = kind_of(address)
        if seen[kind] >= most_of_a_kind:
            continue
        seen[kind] += 1
        answer = http.get(address)
        yield address, answer
        for link in PageLinks.of(answer.text).addresses if "html" in answer.headers.get("content-type", "") else ():
            found = urlsplit(urljoin(address, link))
            target = found.path + (f"?{found.query}" if found.query else "")
            if not (found.scheme or found.netloc or target.startswith(_NOT_PAGES)) and target not in known:
                known.add(target)
                waiting.append(target)


def console_places(target: ProofTarget, canaries: list[Canary]) -> Iterator[Place]:
    """Yield what the console answers: to whoever signs in, on every page, and to every action with each value."""
    with httpx.Client(base_url=target.console_url, timeout=40, trust_env=False) as http:
        for canary in canaries:
            yield _place(f"sign-in with {canary.kind}", sign_in(http, canary.value))
        yield _place("sign-in", signed_in := sign_in(http, target.token))
        if signed_in.is_error:
            raise SystemFailed(f"the console lets nobody sign in: it answers {signed_in.status_code}")
        forms: dict[tuple[str, ...], PageForm] = {}
        for address, answer in walk(http):
            yield Place(f"address {address}", address.encode())
            yield _place(f"page {address}", answer)
            forms |= {(*kind_of(one.action), *one.typed): one for one in PageLinks.of(answer.text).forms}
        # Only a system of its own is acted upon.
        for form in forms.values() if target.is_own else ():
            for canary in canaries:
                if not _is_kept(target, form, canary):
                    sent = {**form.hidden, **dict.fromkeys(form.typed, canary.text)}
                    answer = http.post(form.action, data=sent, headers=_origin(http))
                    place = _place(f"answer to {canary.kind} in {form.action}", answer)
                    yield Place(place.name, without_fields(place.content, form.typed))


def without_fields(html: bytes, names: Iterable[str]) -> bytes:
    """Return a page without what its fields of these names hold: a form gives back what was typed into it.

    Also without what an `output` shows that names one of them: the same text with its findings marked.
    """
    name = rb'\bname="(?:' + b"|".join(re.escape(one.encode()) for one in names) + rb')"'
    html = re.sub(rb"(<textarea\b[^>]*" + name + rb"[^>]*>).*?</textarea>", rb"\1", html, flags=re.DOTALL)
    shown = rb'\bfor="(?:' + b"|".join(re.escape(one.encode()) for one in names) + rb')"'
    html = re.sub(rb"(<output\b[^>]*" + shown + rb"[^>]*>).*?</output>", rb"\1", html, flags=re.DOTALL)
    return re.sub(rb"<input\b[^>]*" + name + rb"[^>]*>", b"", html)


def _is_kept(target: ProofTarget, form: PageForm, canary: Canary) -> bool:
    """Say whether a field is stored by name or for people to read, or the action gives out what it is asked for."""
    is_by_name = target.keeps_keys and not _STORED_BY_NAME.isdisjoint(form.typed)
    is_left_out = form.action == SIGN_OUT or _GIVES_OUT.fullmatch(urlsplit(form.action).path) is not None
    return is_left_out or canary.kind == "clean text" or is_by_name


def _place(name: str, answer: httpx.Response) -> Place:
    return Place(f"console: {name} ({answer.status_code})", repr(answer.headers.raw).encode() + answer.content)


def _origin(http: httpx.Client) -> dict[str, str]:
    return {"Origin": str(http.base_url).rstrip("/")}

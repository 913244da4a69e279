"""Says who may send a form, from which pages and how often."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from math import ceil

from vestibule.contracts.errors import FormNotFound, OriginRefused, QuotaExceeded, ScopeMissing
from vestibule.contracts.identity import DEFAULT_TENANT
from vestibule.contracts.tokens import Quota
from vestibule.policy.forms import FormDefinition
from vestibule.service_kit.auth.auth_rate_limit import ClientAddress, Network, address_of
from vestibule.service_kit.auth.authentication import Caller, Quotas

SCOPE = "forms"
WINDOW_S = 60
# The least recently seen addresses are evicted first.
MAX_ADDRESSES = 10_000
NOT_FOUND = "No form of that name is defined."


class AddressQuotas:
    """Counts the forms of each address within a minute, in bounded memory.

    The processes of one service on a machine count together, replicas each for itself.
    """

    def __init__(
        self, now_s: Callable[[], float] = time.monotonic, tell: Callable[[str], None] = lambda _text: None
    ) -> None:
        """Take the clock, in seconds; `tell` gets what the other processes have to take in, by `count_nearby`."""
        self._now_s = now_s
        self._tell = tell
        # When the minute of a form and an address began, and how many came in it.
        self._seen: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def admit(self, form: str, address: str, limit: int) -> None:
        """Count a form from an address.

        Raises:
            QuotaExceeded: there were `limit` within a minute.
        """
        now_s = self._now_s()
        began_s, count = self._counted(form, address, now_s)
        if count >= limit:
            left_s = max(1, ceil(began_s + WINDOW_S - now_s))
            detail = f"The quota `requests_per_address` of the form, {limit:,}, is used up. Retry later."
            raise QuotaExceeded(detail, left_s, quota="requests_per_address", of="form", limit=limit)
        self._note(form, address, began_s, count + 1)
        self._tell(f"{form} {address}")

    def count_nearby(self, text: str) -> None:
        """Take in a form that another process on this machine has admitted."""
        form, _, address = text.partition(" ")
        began_s, count = self._counted(form, address, self._now_s())
        self._note(form, address, began_s, count + 1)

    def _counted(self, form: str, address: str, now_s: float) -> tuple[float, int]:
        began_s, count = self._seen.get((form, address), (now_s, 0))
        return (now_s, 0) if now_s - began_s >= WINDOW_S else (began_s, count)

    def _note(self, form: str, address: str, began_s: float, count: int) -> None:
        self._seen[form, address] = began_s, count
        self._seen.move_to_end((form, address))
        if len(self._seen) > MAX_ADDRESSES:
            self._seen.popitem(last=False)


class FormAdmission:
    """Admits forms as their definitions say."""

    def __init__(
        self,
        definitions: Callable[[], Mapping[str, FormDefinition]],
        quotas: Quotas,
        trusted_proxies: Sequence[Network],
        addresses: AddressQuotas | None = None,
    ) -> None:
        """Take what returns the definitions as they are now, and the quotas that public forms have as tokens do."""
        self._definitions = definitions
        self._quotas = quotas
        self._trusted_proxies = trusted_proxies
        self._addresses = addresses or AddressQuotas()

    def allows_origin(self, name: str, origin: str) -> bool:
        """Say whether pages of an origin may send a form and read the answer."""
        definition = self._definitions().get(name)
        return definition is not None and definition.allows_origin(origin)

    def admit_public(self, name: str, origin: str | None, address: ClientAddress) -> Caller | None:
        """Return the caller that a public form stands for, None where the form needs a token.

        Raises:
            OriginRefused: the page is of no allowed origin, or says none.
            QuotaExceeded: too many came, in all or from this address.
        """
        definition = self._definitions().get(name)
        if definition is None or not definition.public:
            return None
        _check_origin(definition, origin, is_required=True)
        self._count(name, definition, address)
        quota = Quota(requests_per_minute=definition.per_minute)
        tenant = definition.tenant or DEFAULT_TENANT
        caller = Caller(f"form-{name}", f"form {name}", frozenset({SCOPE}), tenant, quota=quota)
        self._quotas.admit(caller)
        return caller

    def find(self, name: str, caller: Caller, origin: str | None, address: ClientAddress) -> FormDefinition:
        """Return the definition of a form that a caller sends.

        Raises:
            FormNotFound: none of that name is defined for its tenant.
            ScopeMissing: the form is for other tokens.
            OriginRefused: the page is of no allowed origin.
            QuotaExceeded: too many came from this address.
        """
        definition = self._definitions().get(name)
        if definition is None or definition.tenant not in (None, caller.tenant):
            raise FormNotFound(NOT_FOUND)
        if caller.token_id == f"form-{name}":
            return definition
        if definition.tokens is not None and not {caller.token_id, caller.name}.intersection(definition.tokens):
            raise ScopeMissing("The token may not send this form.", scope=SCOPE)
        _check_origin(definition, origin, is_required=False)
        self._count(name, definition, address)
        return definition

    def _count(self, name: str, definition: FormDefinition, address: ClientAddress) -> None:
        if definition.per_address is not None:
            self._addresses.admit(name, address_of(address, self._trusted_proxies), definition.per_address)


def _check_origin(definition: FormDefinition, origin: str | None, *, is_required: bool) -> None:
    if origin is None:
        if is_required:
            raise OriginRefused("This form takes only what a page sends: the request has no `Origin`.")
    elif not definition.allows_origin(origin):
        raise OriginRefused("Pages of this origin may not send the form.")

"""On whose behalf a service is called: names that cannot be mistaken for one another, and headers that carry them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibule.contracts.errors import InvalidInput
from vestibule.contracts.identity import TENANT_PATTERN, Principal

tenants = st.from_regex(rf"\A~?{TENANT_PATTERN}\Z")


@given(tenant=tenants, token_id=st.none() | st.from_regex(r"\A[0-9a-f]{12}\Z"))
def test_headers_name_whom_they_came_from(tenant: str, token_id: str | None) -> None:
    """What a service says of its caller is what its peer reads."""
    principal = Principal(tenant, token_id)
    assert principal == Principal.parse(principal.headers)


def test_nobody_named_is_the_default_tenant() -> None:
    """A call without the header is about the data that was there before there were tenants."""
    assert Principal("default", None) == Principal.parse({})


@pytest.mark.parametrize(
    "tenant", ["", "A", "ä", "a b", "a/b", "a~", "~", "~~a", "-a", "_a", "a\n", "a" * 64, "default/", "٣"]
)
def test_what_is_no_name_is_refused(tenant: str) -> None:
    """Nothing that could reach into the keys of another tenant is a name."""
    with pytest.raises(InvalidInput):
        Principal.parse({"X-Vestibule-Tenant": tenant})


@pytest.mark.parametrize("token_id", ["", "a b", "a\n", "x" * 65, "ü"])
def test_what_is_no_id_is_refused(token_id: str) -> None:
    """Only what can be the id of a token is kept as one."""
    with pytest.raises(InvalidInput):
        Principal.parse({"X-Vestibule-Sender": token_id})

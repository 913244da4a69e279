"""Who may send a form: addresses are counted by the minute, in bounded memory."""

import pytest

from vestibule.client_service.forms.admission import MAX_ADDRESSES, WINDOW_S, AddressQuotas
from vestibule.contracts.errors import QuotaExceeded


def test_an_address_is_counted_by_form_and_minute() -> None:
    """The one over the limit hears how long to wait; another form, another address and the next minute are free."""
    now_s = 100.0
    quotas = AddressQuotas(lambda: now_s)
    for _ in range(2):
        quotas.admit("contact", "203.0.113.7", 2)
    now_s += 20
    with pytest.raises(QuotaExceeded) as refused:
        quotas.admit("contact", "203.0.113.7", 2)
    assert WINDOW_S - 20 == refused.value.retry_after_s
    quotas.admit("other", "203.0.113.7", 2)
    quotas.admit("contact", "203.0.113.8", 2)
    now_s += WINDOW_S - 20
    quotas.admit("contact", "203.0.113.7", 2)


def test_many_addresses_take_no_more_memory() -> None:
    """The one that was seen longest ago is forgotten first."""
    quotas = AddressQuotas(lambda: 0.0)
    quotas.admit("contact", "first", 1)
    for number in range(MAX_ADDRESSES):
        quotas.admit("contact", str(number), 1)
    quotas.admit("contact", "first", 1)
    with pytest.raises(QuotaExceeded):
        quotas.admit("contact", str(MAX_ADDRESSES - 1), 1)


def test_the_processes_of_a_service_count_addresses_together() -> None:
    """What one process admits counts in the other."""
    other = AddressQuotas(lambda: 0.0)
    quotas = AddressQuotas(lambda: 0.0, other.count_nearby)
    quotas.admit("contact", "203.0.113.7", 1)
    other.admit("contact", "203.0.113.8", 1)
    with pytest.raises(QuotaExceeded):
        other.admit("contact", "203.0.113.7", 1)

"""The address of Redis is understood by every client that is given it."""

from pathlib import Path

import pytest

from vestibule.service_kit.redis_settings import RedisSettings, Sentinels, celery_options, celery_url, is_sentinel


def test_sentinels_are_named_once_for_all_clients() -> None:
    """Addresses, the master's name, the login and the database stand in one URL; ports may be left out."""
    url = "sentinel://vestibule:s%2Fecret@one:26379,two,[::1]:7/3?master=front"
    assert is_sentinel(url)
    addresses = [("one", 26379), ("two", 26379), ("::1", 7)]
    assert Sentinels(addresses, "front", 3, "vestibule", "s/ecret") == Sentinels.of(url)
    assert "sentinel://vestibule:s%2Fecret@two/3" == celery_url(url).split(";")[1]
    assert {"master_name": "front"} == celery_options(url)


@pytest.mark.parametrize("url", ["redis://queue:6379/0", "rediss://queue/1"])
def test_a_server_is_named_the_same_everywhere(url: str) -> None:
    """Only sockets and Sentinels are named differently by Celery."""
    assert (url, {}) == (celery_url(url), celery_options(url))
    assert "redis+socket:///run/redis.sock" == celery_url("unix:///run/redis.sock")


def test_over_tls_the_certificate_is_always_checked() -> None:
    """By the system's authorities, or by those of a file; a URL that says it itself is left alone."""
    by_system = RedisSettings(redis_url="rediss://queue/0").redis_url
    assert "rediss://queue/0?ssl_cert_reqs=required" == by_system
    by_file = RedisSettings(redis_url="rediss://queue/0", redis_ca_file=Path("/etc/ca.pem")).redis_url
    assert "rediss://queue/0?ssl_cert_reqs=required&ssl_ca_certs=/etc/ca.pem" == by_file
    assert by_file == RedisSettings(redis_url=by_file, redis_ca_file=Path("/etc/ca.pem")).redis_url
    assert "redis://queue/0" == RedisSettings(redis_url="redis://queue/0").redis_url

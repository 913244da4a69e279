"""Where Redis is, and its password out of a file."""

import pytest
from pydantic import ValidationError

from vestibule.service_kit.redis_settings import RedisSettings


@pytest.mark.parametrize(
    ("url", "complete"),
    [
        ("redis://queue:6379/0", "redis://:s%2Fec%40ret@queue:6379/0"),
        ("rediss://vestibule@queue/1", "rediss://vestibule:s%2Fec%40ret@queue/1?ssl_cert_reqs=required"),
        ("unix:///run/redis.sock", "unix://:s%2Fec%40ret@/run/redis.sock"),
    ],
)
def test_the_password_of_the_file_stands_in_the_url(tmp_path, url, complete):
    """Whatever characters it has, and with the user that the URL names."""
    (tmp_path / "password").write_text("s/ec@ret\n")
    settings = RedisSettings(redis_url=url, redis_password_file=tmp_path / "password")
    assert complete == settings.redis_url


def test_a_password_given_twice_or_not_there_is_refused(tmp_path):
    """And the message shows no password."""
    (tmp_path / "password").write_text("one")
    with pytest.raises(ValidationError, match="has a password already") as refused:
        RedisSettings(redis_url="redis://:other@queue/0", redis_password_file=tmp_path / "password")
    assert "one" not in str(refused.value.errors()[0]["msg"])
    with pytest.raises(ValidationError, match="cannot read"):
        RedisSettings(redis_password_file=tmp_path / "missing")

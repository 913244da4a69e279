"""The settings of Redis, for every service that uses it."""

from pathlib import Path
from typing import Self
from urllib.parse import quote, urlsplit

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class RedisSettings(BaseSettings):
    """The address and the credentials of Redis."""

    # As in ServiceSettings: where both are inherited from, the last of the two decides.
    model_config = SettingsConfigDict(
        env_prefix="VESTIBULE_", env_nested_delimiter="__", extra="ignore", hide_input_in_errors=True
    )

    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        description="Address of Redis; `unix:///PATH` for a socket, `rediss://` for TLS, `sentinel://HOST:PORT,HOST:PORT/0?master=M`",
    )
    redis_ca_file: Path | None = Field(
        default=None, description="File with the certificate authorities for Redis over TLS"
    )
    redis_password_file: Path | None = Field(
        default=None, description="File with the password of Redis, instead of a password in the URL"
    )

    @model_validator(mode="after")
    def _expect_certificate(self) -> Self:
        parts = urlsplit(self.redis_url)
        if parts.scheme == "rediss" and "ssl_cert_reqs" not in parts.query:
            wanted = ["ssl_cert_reqs=required"]
            if self.redis_ca_file is not None:
                wanted.append(f"ssl_ca_certs={quote(str(self.redis_ca_file.absolute()))}")
            self.redis_url = parts._replace(query="&".join([*filter(None, [parts.query]), *wanted])).geturl()
        return self

    @model_validator(mode="after")
    def _take_password(self) -> Self:
        if self.redis_password_file is not None:
            self.redis_url = _with_password(self.redis_url, self.redis_password_file)
            # Taken once: a copy of these settings is not given it again.
            self.redis_password_file = None
        return self


def _with_password(url: str, path: Path) -> str:
    try:
        password = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"cannot read the password of Redis in {path} ({type(error).__name__})") from None
    parts = urlsplit(url)
    if parts.password is not None:
        raise ValueError("the URL of Redis has a password already; give it there or in a file")
    user = parts.username or ""
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{parts.netloc.rpartition('@')[2]}").geturl()

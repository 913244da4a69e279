"""Shows values of settings without what is secret in them."""

from urllib.parse import urlsplit

from vestibule.cli.embedded.parts import SECRET_SETTINGS

MASK = "****"
# The settings that are addresses, and the schemes whose hosts are no secrets.
_ADDRESSES = ("_URL", "_ENDPOINT")
_SCHEMES = frozenset(
    {"http", "https", "redis", "rediss", "sentinel", "postgresql", "postgres", "dynamodb", "amqp", "amqps", "unix"}
)


def is_secret(variable: str) -> bool:
    """Say whether a setting can hold a secret."""
    return variable in SECRET_SETTINGS


def masked(variable: str, value: str) -> str:
    """Return a value as it may be shown: of a secret address where it leads, and of another secret nothing."""
    if not value or not is_secret(variable):
        return value
    return (masked_address(value) if variable.endswith(_ADDRESSES) else "") or MASK


def masked_address(value: str) -> str:
    """Return scheme, host and port of an address; paths and queries may be secrets too. Empty if it is none."""
    try:
        parts = urlsplit(value)
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return ""
    if parts.scheme not in _SCHEMES or "://" not in value:
        return ""
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    if parts.hostname is None:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    has_more = parts.path.strip("/") or parts.query or parts.username or parts.password
    return f"{parts.scheme}://{host}{port}{'/' + MASK if has_more else ''}"

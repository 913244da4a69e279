"""Builds the token lookups of a service."""

from vestibule.service_kit.auth.authentication import ALL_SCOPES, Caller, SingleToken, TokenLookup
from vestibule.service_kit.auth.token_file import TokenFile
from vestibule.service_kit.settings import ServiceSettings


def caller_token_lookups(settings: ServiceSettings) -> list[TokenLookup]:
    """Return the lookups of callers' tokens: the token files, and in embedded mode the development token."""
    token_lookups: list[TokenLookup] = [TokenFile(settings.token_file)]
    if settings.mounted_token_file is not None:
        token_lookups.append(TokenFile(settings.mounted_token_file))
    if settings.embedded:
        everything = Caller("development", "the development token", frozenset({ALL_SCOPES}))
        token_lookups.append(SingleToken(settings.dev_token.get_secret_value(), everything, is_local_only=True))
    return token_lookups

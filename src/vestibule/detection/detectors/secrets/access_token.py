"""Access tokens: JSON web tokens, authorization headers and the credentials of curl."""

import binascii
import json
import re

from vestibule.detection.rules import Detector, Rule
from vestibule.detection.validation.checks import entropy_bits
from vestibule.detection.validation.placeholders import is_made_of_words, is_placeholder


def _decoded(value: str) -> bytes | None:
    bare = value.rstrip("=").translate({45: 43, 95: 47})
    try:
        return binascii.a2b_base64(bare + "=" * (-len(bare) % 4))
    except ValueError:
        return None


def is_jwt(value: str) -> bool:
    """Check that the header is JSON that names an algorithm. Source: RFC 7515, section 4.1.1."""
    header = _decoded(value.partition(".")[0])
    try:
        decoded = json.loads(header) if header else None
    except ValueError:
        return False
    return isinstance(decoded, dict) and ("alg" in decoded or "enc" in decoded)


def is_encoded_jwt(value: str) -> bool:
    """Check that base64 of a JSON web token is one. Source: RFC 7515, section 3.1."""
    head = _decoded(value[: len(value) // 4 * 4])
    return (
        head is not None
        and re.match(rb"eyJ[\w-]{8,}", head) is not None
        and b'"' in (_decoded(head[:12].decode("ascii", "replace")) or b"")
    )


def is_bearer(value: str) -> bool:
    """Tell a token from the word that stands for one in a manual."""
    return (
        not is_placeholder(value)
        and any(c.isdigit() for c in value)
        and entropy_bits(value) >= 2.7
        and not is_made_of_words(value)
    )


def is_user_and_password(value: str) -> bool:
    """Check base64 of `user:password`. Source: RFC 7617, section 2."""
    decoded = _decoded(value)
    if not decoded:
        return False
    user, colon, password = decoded.partition(b":")
    if not colon:
        return is_bearer(value)
    try:
        told = password.decode()
    except UnicodeDecodeError:
        return is_bearer(value)
    return bool(user or told) and not is_placeholder(told)


def is_curl_user(value: str) -> bool:
    """Check `user:password` as curl takes it: both there and neither a variable."""
    user, colon, password = value.partition(":")
    user, password = user.strip("\"' <"), password.strip("\"' >")
    if not colon or (not user and not password):
        return False
    told = password or user
    return (
        len(told) > 2 and not is_placeholder(told) and not (is_placeholder(user) and is_placeholder(password) and user)
    )


_SCHEME = (
    r"(?:bearer|token|apikey|api-(?:key|token)|key|genie_?key|sso-key|splunk|bot|digest|private-token|ssws|sharedkey|"
    r"oauth)"
)
_HEADER_NAME = (
    r"(?:(?:x|apca|ocp|dd|cf|stripe|kbn|circle|goog|amz)-[a-z-]{0,30})?(?:api-?key|api-?token|auth-?(?:key|token)|access-?token|auth|"
    r"private-token|subscription-key|application-key|secret-key|functions-key|vault-token|session-token|gitlab-token|token)"
)

DETECTOR = Detector(
    entity="ACCESS_TOKEN",
    rules=(
        Rule(
            name="jwt",
            pattern=r"ey[A-Za-z0-9_-]{10,4096}\.(?:ey[A-Za-z0-9_-]{2,8192}|[A-Za-z0-9_-]{0,1024}\.[A-Za-z0-9_-]{0,64})\.[A-Za-z0-9_-]{0,8192}",
            prefilter=r"\bey[A-Za-z0-9_-]{10}",
            score=0.95,
            check=is_jwt,
            not_after=r"\w",
            not_before=r"\w",
        ),
        Rule(
            name="encoded-jwt",
            pattern=r"ZXlK[A-Za-z0-9+/_-]{50,16384}={0,2}",
            anchors=("ZXlK",),
            score=0.95,
            check=is_encoded_jwt,
            not_after=r"\w+/",
            not_before=r"\w+/",
        ),
        Rule(
            name="authorization",
            pattern=(
                rf"authorization[\"'\])]{{0,3}}\s{{0,2}}[:=,>]{{1,2}}\s{{0,3}}[\"'`]?(?:{_SCHEME}[ :=]{{1,3}})?"
                r"[\"']?(?P<value>[\w.~+/@|-]{12,4096}={0,2})"
            ),
            anchors=("authorization",),
            score=0.9,
            check=is_bearer,
            not_after="",
            not_before="",
            ignore_case=True,
        ),
        Rule(
            name="basic",
            pattern=r"\bbasic\s{1,2}(?P<value>[A-Za-z0-9+/_-]{8,1024}={0,2})",
            prefilter=r"\bbasic\s{1,2}[A-Za-z0-9+/_-]{8}",
            score=0.9,
            check=is_user_and_password,
            not_after="",
            not_before=r"\w.",
            ignore_case=True,
        ),
        Rule(
            name="bearer",
            pattern=r"\b(?:bearer|api-?token)[ :=\"']{1,3}(?P<value>[\w.~+/|-]{16,4096}={0,2})",
            prefilter=r"\b(?:bearer|api-?token)[ :=\"']{1,3}[\w.~+/|-]{16}",
            score=0.9,
            check=is_bearer,
            not_after="",
            not_before="",
            ignore_case=True,
        ),
        Rule(
            name="header",
            pattern=rf"(?:-H|--header)[ =]{{0,5}}[\"']{_HEADER_NAME}:\s{{0,5}}(?P<value>[\w=~@.+/|-]{{8,1024}})",
            prefilter=rf"(?:-H|--header)[ =]{{0,5}}[\"']{_HEADER_NAME}:",
            score=0.9,
            check=is_bearer,
            not_after="",
            not_before="",
            ignore_case=True,
        ),
        Rule(
            name="curl-user",
            pattern=(
                r"\bcurl\b[^|;]{0,240}?\s(?:-u|--user|--proxy-user|-U)[ =]{0,4}"
                r"(?P<value>\"[^\"\n]{0,64}\":\"[^\"\n]{3,128}\"|\"[^\"\n]{3,192}\"|'[^'\n]{3,192}'|[^\s\"':]{0,64}:[^\s\"']{3,128}|"
                r"[^\s\"':]{1,64}:[\"'][^\"'\n]{3,128}[\"'])"
            ),
            prefilter=r"\s(?:-u|--user|--proxy-user|-U)[ =]{0,4}[\"']?[^\s:]{0,64}[\"']?:",
            score=0.9,
            check=is_curl_user,
            not_after="",
            not_before="",
        ),
    ),
    examples=(
        "[[eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U]]",
        "[[ZXlKaGJHY2lPaUpJVXpJMU5pSjkuZXlKemRXSWlPaUl4TWpNMEluMC5kb3pqZ05yeVA0SjNqVm1OSGwwdzVO]]",
        "Authorization: Bearer [[8c6bd2f0a91e47b1a2c3]]",
        "proxy-auth Basic [[YWRhOmh1bnRlcjItaXMtbWluZQ==]]",
        "send it as bearer [[8c6bd2f0a91e47b1a2c3]]",
        "curl -H 'X-API-Key: [[8c6bd2f0a91e47b1a2c3]]' https://api.example.org",
        "curl -u [['ada:h0pk1ns~21s']] https://api.example.org",
    ),
    counter_examples=(
        "eyes.eyebrow.eyelid",
        "Authorization: Bearer $TOKEN",
        "authorization: bearer token required",
        'curl -u "${NAME}:${WORD}" https://api.example.org',
        "curl -u user:password https://api.example.org",
        "basic knowledge",
    ),
    sources=("RFC 7519", "RFC 6750", "RFC 7617", "https://curl.se/docs/manpage.html#-u"),
)

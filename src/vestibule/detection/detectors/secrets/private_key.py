"""Private keys: PEM of every kind, PuTTY, age, SSH2, minisign, JSON web keys and WireGuard."""

import re

from vestibule.detection.rules import Detector, Rule

_BODY = re.compile(r"[A-Za-z0-9+/]{20}")
_MIN_BODY_CHARS = 40


def has_body(value: str) -> bool:
    """Check that something key-like stands between the lines that begin and end a key."""
    body = value.partition("-----BEGIN")[2].partition("-----")[2].partition("-----END")[0]
    return (
        len(body) >= _MIN_BODY_CHARS
        and _BODY.search(body.replace("\\n", "")) is not None
        and "xxxxx" not in body.lower()
    )


DETECTOR = Detector(
    entity="PRIVATE_KEY",
    rules=(
        Rule(
            name="pem",
            pattern=(
                r"-----BEGIN[ A-Z0-9_-]{0,60}PRIVATE KEY(?: BLOCK)?-----[^-]{16,16384}"
                r"(?:-{1,4}[^-]{1,2000}){0,6}?(?:-----END[ A-Z0-9_-]{0,60}PRIVATE KEY(?: BLOCK)?-----|$)"
            ),
            anchors=("PRIVATE KEY-----", "PRIVATE KEY BLOCK-----"),
            score=0.98,
            check=has_body,
            not_after="",
            not_before="",
        ),
        Rule(
            name="pem-cut-short",
            pattern=r"-----BEGIN[ A-Z0-9_-]{0,60}PRIVATE KEY(?: BLOCK)?-----[A-Za-z0-9+/=\\\s\"',]{40,16384}",
            anchors=("PRIVATE KEY-----", "PRIVATE KEY BLOCK-----"),
            score=0.96,
            check=has_body,
            not_after="",
            not_before="",
        ),
        Rule(
            name="putty",
            pattern=(
                r"PuTTY-User-Key-File-[23]: [^\n]{3,60}\n(?:[^\n]{1,200}\n){1,200}?"
                r"Private-(?:MAC|Hash): [0-9a-f]{40,64}"
            ),
            anchors=("PuTTY-User-Key-File",),
            score=0.98,
            not_after="",
            not_before="",
        ),
        Rule(
            name="age",
            pattern=r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
            anchors=("AGE-SECRET-KEY-1",),
            score=0.98,
        ),
        Rule(
            name="age-post-quantum",
            pattern=r"AGE-SECRET-KEY-PQ-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
            anchors=("AGE-SECRET-KEY-PQ-1",),
            score=0.98,
        ),
        Rule(
            name="json-web-key",
            pattern=r"\"(?:d|k|p|q|dp|dq|qi)\"\s{0,2}:\s{0,2}\"(?P<value>[\w-]{43,1024})\"",
            prefilter=r"\"(?:d|k|p|q|dp|dq|qi)\"\s{0,2}:\s{0,2}\"[\w-]{20}",
            score=0.9,
            not_after="",
            not_before="",
        ),
        Rule(
            name="wireguard",
            pattern=r"(?:PrivateKey|PresharedKey)\s{0,3}=\s{0,3}(?P<value>[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)",
            anchors=("PrivateKey", "PresharedKey"),
            score=0.97,
            not_after="",
        ),
    ),
    examples=(
        "[[-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04f"
        "SeQ6tF1aY/PuoAoGCCqGSM49\n-----END EC PRIVATE KEY-----]]",
        "key: [[-----BEGIN " + "PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDAC4AWkd\n]]",
        "[[PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: made up\nPublic-Lines: 1\n"
        "AAAAC3NzaC1lZDI1NTE5AAAAIFq\n"
        "Private-Lines: 1\nAAAAIJ8mGd3u7w2Qh\nPrivate-MAC: " + "5f2c81a0b94e7d36" * 4 + "]]",
        "[[" + "AGE-SECRET-KEY-1" + "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L8GF2TVDW0S3JN54KHCE6MUA7LQ]]",
        "[[" + "AGE-SECRET-KEY-PQ-1" + "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L8GF2TVDW0S3JN54KHCE6MUA7LQ]]",
        '{"kty":"EC","crv":"P-256","d":"[[jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI]]"}',
        "PrivateKey = [[yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=]]",
    ),
    counter_examples=(
        "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----",
        "PRIVATE KEY",
        "-----BEGIN PRIVATE KEY-----\nanything\n-----END PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----",
    ),
    sources=(
        "RFC 7468",
        "RFC 5958",
        "RFC 7517",
        "https://the.earth.li/~sgtatham/putty/latest/htmldoc/AppendixC.html",
        "https://age-encryption.org/v1",
        "https://www.wireguard.com/#conceptual-overview",
    ),
)

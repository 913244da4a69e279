"""Private keys: PEM of every kind, PuTTY, age, SSH2, minisign, JSON web keys and WireGuard."""

import re

from vestibule.detection.rules import Detector, Rule

# A run of base64 in the body; words and paths rarely have letters of either case and digits in one run.
_RUN = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")
_MIN_BODY_CHARS = 40
_MIN_RUN_CHARS = 20
# A key without its last line: this share of its lines holds base64.
_MIN_SHARE = 0.75
_LINE_BREAK = re.compile(r"[\r\n]+|\\n| {2}")
_HEADER = r"-----BEGIN[ A-Z0-9_-]{0,60}PRIVATE KEY(?: BLOCK)?-----"
_FOOTER = r"-----END[ A-Z0-9_-]{0,60}PRIVATE KEY(?: BLOCK)?-----"


def has_body(value: str) -> bool:
    """Check that something key-like stands between the lines that begin and end a key.

    Each line may have something before it: white space, the sign of a diff, a date, the fields of a log record.
    """
    body, footer, _ = value.partition("-----BEGIN")[2].partition("-----")[2].partition("-----END")
    if "xxxxx" in body.lower():
        return False
    runs = _RUN.findall(body)
    if sum(map(len, runs)) < _MIN_BODY_CHARS or not any(_is_drawn(run) for run in runs):
        return len(body) >= _MIN_BODY_CHARS and any(map(_is_drawn, _RUN.findall(body.replace("\\n", ""))))
    lines = [line for line in _LINE_BREAK.split(body) if line.strip()]
    return bool(footer) or sum(_RUN.search(line) is not None for line in lines) >= _MIN_SHARE * len(lines)


def _is_drawn(run: str) -> bool:
    return len(run) >= _MIN_RUN_CHARS and not run.islower() and not run.isupper() and not run.isalpha()


DETECTOR = Detector(
    entity="PRIVATE_KEY",
    rules=(
        Rule(
            name="pem",
            pattern=(
                rf"{_HEADER}[^-]{{1,4096}}"
                # Dates and other things before each line have dashes; five in a row end the key.
                rf"(?:-{{1,4}}[^-]{{1,160}}){{0,270}}?(?:-{{1,4}}[^-]{{1,16000}})?(?:-{{0,4}}{_FOOTER}|$)"
            ),
            anchors=("PRIVATE KEY-----", "PRIVATE KEY BLOCK-----"),
            opening="-----BEGIN",
            score=0.98,
            check=has_body,
            not_after="",
            not_before="",
        ),
        Rule(
            name="pem-cut-short",
            pattern=(
                rf"{_HEADER}(?:[\\\s\"',>#*+-]{{1,12}}[A-Z][A-Za-z-]{{2,20}}: [\w ,.:/()-]{{1,80}}){{0,3}}"
                r"[A-Za-z0-9+/=\\\s\"',>#*]{40,16384}"
            ),
            anchors=("PRIVATE KEY-----", "PRIVATE KEY BLOCK-----"),
            opening="-----BEGIN",
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
        "[[-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
        "DEK-Info: AES-128-CBC,3F17F5316E2BAC891A2B3C4D5E6F7081\n\n"
        "MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04f\nSeQ6tF1aY/PuoAoGCCqGSM49\n-----END RSA PRIVATE KEY-----]]",
        "2024-05-01T10:22:00Z [[-----BEGIN EC PRIVATE KEY-----\n2024-05-01T10:22:00Z "
        "MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04f\n"
        "2024-05-01T10:22:01Z SeQ6tF1aY/PuoAoGCCqGSM49\n2024-05-01T10:22:01Z -----END EC PRIVATE KEY-----]]",
        "-[[-----BEGIN EC PRIVATE KEY-----\n-MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04f\n"
        "-SeQ6tF1aY/PuoAoGCCqGSM49\n------END EC PRIVATE KEY-----]]",
        '{"level":"info","msg":"[[-----BEGIN EC PRIVATE KEY-----"}\n{"level":"info",'
        '"msg":"MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04f"}\n'
        '{"level":"info","msg":"SeQ6tF1aY/PuoAoGCCqGSM49"}\n{"level":"info","msg":"-----END EC PRIVATE KEY-----]]"}',
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
        "if line.startswith('-----BEGIN PRIVATE KEY-----'):\n    return load_the_key_with_openssl(line)\n"
        "elif line == '-----END PRIVATE KEY-----':",
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

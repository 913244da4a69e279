"""Secrets whose name stands in a member of its own, as in `{"key": "password", "value": ...}`."""

from vestibule.detection.detectors.secrets.assigned_secret import HARMLESS, is_random_with_signs
from vestibule.detection.detectors.secrets.password import HARMLESS as PASSWORD_HARMLESS
from vestibule.detection.detectors.secrets.password import is_quoted_password
from vestibule.detection.rules import Check, Detector, Rule
from vestibule.detection.validation.placeholders import is_random

# The member that holds the name, and the one that holds the value.
_NAME_MEMBER = r"(?:(?:parameter|param|variable|var|setting|env|secret)[_-]?)?(?:name|key|id|field|variable|property)"
_VALUE_MEMBER = (
    r"(?:(?:parameter|param|secret|default|string|current|initial)[_-]?)?"
    r"(?:values?|content|val|default|string|plaintext)"
)
_FOR_WORDS = "(?:passwords?|passwd|passphrase|passcode|passwort|kennwort|pwd|pass|contraseña|senha|пароль)"
_FOR_DRAWN = (
    r"(?:secrets?|tokens?|credentials?|"
    r"(?:api|secret|access|private|signing|encryption|auth|master|account)[_.-]?keys?)"
)
# What may stand after the telling word of a name; `password_policy` and `token_type` name something else.
_NAME_END = r"(?:[_.-]?(?:[0-9]{1,3}|value|prod|dev|test|main|db|hex|base64))?"
_QUOTE = r"[\"']?"
# Members between the two; a member begins with a word, so neither the next element of a list nor a brace fits.
_MEMBER = (
    rf"{_QUOTE}[\w-]{{1,30}}{_QUOTE}\s{{0,20}}[:=]\s{{0,3}}"
    r"(?:\"[^\"\n]{0,120}\"[ \t]|'[^'\n]{0,120}'[ \t]|"
    r"(?:\"[^\"\n]{0,120}\"|'[^'\n]{0,120}'|[^\n\"'{}\[\]<>,;]{0,80})\s{0,3}(?:[,;]|\r?\n))\s{0,40}"
)
_BETWEEN = rf"\s{{0,3}}[,;]?\s{{0,40}}(?:{_MEMBER}){{0,3}}?"
_BETWEEN_LINES = rf"\s{{1,20}}(?:{_MEMBER}){{0,5}}?"
_TEXT = r"(?P<value>[^\s\"'<>]{4,512})"
_QUOTED = r"(?P<value>[^\"'\r\n<>]{4,512})"
_PLACE = rf"{_QUOTE}\s{{0,3}}[:=]\s{{0,3}}{_QUOTE}"
_WORDS_BEFORE = r"[\w. -]{0,40}"


def is_secret_value(value: str) -> bool:
    """Tell a drawn value, with signs or without."""
    return is_random(value) or is_random_with_signs(value)


def _rules(words: str, check: Check, harmless: str) -> tuple[Rule, ...]:
    name = rf"{_WORDS_BEFORE}{words}{_NAME_END}"
    place = rf"(?i:\b{_NAME_MEMBER}{_PLACE})"
    named = rf"(?i:\b{_NAME_MEMBER}{_PLACE}{name})"
    element = rf"<(?:[\w:]{{1,20}}[-_.:])?{_NAME_MEMBER}>\s{{0,8}}{name}\s{{0,8}}</[^<>]{{1,40}}>\s{{0,40}}"
    attribute = rf"\b(?:name|key|id|field)=[\"']{name}[\"'][^<>]{{0,80}}>\s{{0,40}}"
    tag = rf"<(?:[\w:]{{1,20}}[-_.:])?{_VALUE_MEMBER}>\s{{0,8}}"
    first = rf"(?i:\b{_VALUE_MEMBER}[\"']\s{{0,3}}[:=]\s{{0,3}}[\"'])"
    variable = r"\bvariable\s{1,3}\"?"
    skipped = rf"{_WORDS_BEFORE}(?:{harmless})"
    inside = r"\s{0,3}(?:\{\s{0,40}|\n\s{1,40})"
    patterns = {
        "pair": (
            rf"(?:{place}{skipped}|{named}(?i:{_QUOTE}{_BETWEEN}{_QUOTE}\b{_VALUE_MEMBER}{_PLACE}){_TEXT})",
            rf"{named}[\"',;\s]",
        ),
        "pair-value-first": (
            rf"{first}(?:[^\"'\r\n<>]{{4,512}}[\"']{_BETWEEN}[\"']{place}{skipped}|"
            rf"{_QUOTED}[\"']{_BETWEEN}[\"']{named}[\"'])",
            rf"[\"']{named}[\"']",
        ),
        "attributes-value-first": (
            rf"\b(?i:{_VALUE_MEMBER})=[\"'](?:[^\"'\r\n<>]{{4,512}}[\"']{_BETWEEN}{place}{skipped}|"
            rf"{_QUOTED}[\"']{_BETWEEN}{named}[\"'])",
            rf"{named}[\"']",
        ),
        "nested": (
            rf"\b(?:{skipped}|(?i:{name}{_QUOTE}:{inside}(?:{_MEMBER}){{0,3}}?{_QUOTE}{_VALUE_MEMBER}{_PLACE}){_TEXT})",
            rf"(?i:{words}{_NAME_END}{_QUOTE}:{inside})",
        ),
        "pair-elements": (
            rf"(?:(?i:>|[\"']){skipped}|(?i:{element}{tag}|{attribute}(?:{tag})?){_TEXT}\s{{0,8}}</)",
            rf"(?i:{words}{_NAME_END}\s{{0,8}}(?:</[^<>]{{1,40}}>\s{{0,40}}<|[\"'][^<>]{{0,80}}>\s{{0,40}}[^\s]))",
        ),
        "default-of-a-variable": (
            rf"(?:{variable}{skipped}|(?i:{variable}{name}\"?\s{{0,3}}\{{{_BETWEEN_LINES}default\s{{0,20}}=\s{{0,3}}\"){_QUOTED}\")",
            rf"(?i:{variable}{name}[\"\s])",
        ),
    }
    return tuple(
        Rule(
            name=rule,
            pattern=pattern,
            prefilter=prefilter,
            score=0.88,
            check=check,
            not_after="",
            not_before=r"(\[" if rule == "pair" else "",
        )
        for rule, (pattern, prefilter) in patterns.items()
    )


_SOURCES = (
    "CWE-798: use of hard-coded credentials",
    "https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/",
    "https://developer.hashicorp.com/terraform/language/block/variable",
)
DETECTORS = (
    Detector(
        entity="PASSWORD",
        rules=_rules(_FOR_WORDS, is_quoted_password, PASSWORD_HARMLESS),
        examples=(
            '{\n  "key": "password",\n  "value": "[[9q!tmZ4k]]"\n}',
            '{"ParameterKey": "MasterPassword", "ParameterValue": "[[tr0ub4dor&3]]"}',
            '{"name": "DB_PASSWORD", "type": "string", "value": "[[9q!tmZ4k]]"}',
            '{"value": "[[9q!tmZ4k]]", "secure": true, "key": "password"}',
            "- name: DB_PASSWORD\n  value: [[tr0ub4dor&3]]",
            "<entry>\n  <name>password</name>\n  <value>[[9q!tmZ4k]]</value>\n</entry>",
            '<param name="password">[[9q!tmZ4k]]</param>',
            '<add value="[[9q!tmZ4k]]" key="DbPassword" />',
            '<setting id="password" type="text" value="[[9q!tmZ4k]]"/>',
            '"adminPassword": {\n  "value": "[[9q!tmZ4k]]"\n}',
            'variable "db_password" {\n  type    = string\n  default = "[[9q!tmZ4k]]"\n}',
        ),
        counter_examples=(
            '{"key": "password", "value": "changeme"}',
            '{"name": "password_policy", "value": "strong8"}',
            '"passwordPolicy": {"value": "min8max64"}',
            '"adminPassword": {"type": "securestring"}, "zone": {"value": "zone-1a"}',
            "- name: DB_PASSWORD\n  value: ${DB_PASSWORD}",
            "- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef:\n      key: password1",
            '<input name="password" type="password"><input name="city" value="Berlin42!">',
            '<option value="plan42!"> <input name="password">',
            "- name: password\n- name: region\n  value: eu-west-1",
            '[{"key": "password"}, {"key": "region", "value": "eu-west-1"}]',
            "<name>password</name><name>city</name><value>Berlin42!</value>",
            'variable "db_password" {\n  type = string\n}\nvariable "region" {\n  default = "us-east-1"\n}',
        ),
        sources=_SOURCES,
    ),
    Detector(
        entity="SECRET",
        rules=_rules(_FOR_DRAWN, is_secret_value, HARMLESS),
        examples=(
            '{"name": "webhook_secret", "sensitive": false, "value": "[[q7Lw2Zk9Rt4Xv1Bn8Mc3]]"}',
            '{"value": "[[aB$9#xQ!2m&Lk^7z]]", "name": "api_token"}',
            '<Parameter value="[[q7Lw2Zk9Rt4Xv1Bn8Mc3]]" name="apiToken" />',
            "<name>fs.s3a.secret.key</name><value>[[q7Lw2Zk9Rt4Xv1Bn8Mc3]]</value>",
            '{"apiToken": {"value": "[[q7Lw2Zk9Rt4Xv1Bn8Mc3]]"}}',
            'variable "api_token" {\n  default = "[[q7Lw2Zk9Rt4Xv1Bn8Mc3]]"\n}',
        ),
        counter_examples=(
            '{"key": "next_page_token", "value": "q7Lw2Zk9Rt4Xv1Bn8Mc3"}',
            '<input type="hidden" name="authenticity_token" value="q7Lw2Zk9Rt4Xv1Bn8Mc3">',
            '{"name": "token_count", "value": "q7Lw2Zk9Rt4Xv1Bn8Mc3"}',
            '{"value": "q7Lw2Zk9Rt4Xv1Bn8Mc3", "key": "trace_id"}',
            "- name: TOKEN_URL\n  value: https://example.org/t1",
            'variable "token_length" {\n  default = "24a"\n}',
        ),
        sources=_SOURCES,
    ),
)

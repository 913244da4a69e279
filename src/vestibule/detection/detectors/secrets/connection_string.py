"""Connection strings: URLs with a password, and the key=value kind of databases, queues and storage."""

import re

from vestibule.detection.rules import Detector, Rule
from vestibule.detection.validation.placeholders import is_placeholder, is_random

_URL = re.compile(r"//([^/@\s]*?):([^\s]*)@")
_PASSWORD = re.compile(r"(?:password|pwd)=[\"'{]?([^;&\"'}\s]+)", re.IGNORECASE)


def has_url_password(value: str) -> bool:
    """Check that the part before the @ holds a password and no stand-in."""
    found = _URL.search(value)
    if not found:
        return False
    password = found[2]
    return not is_placeholder(password) and password.lower() not in {"password", "pass", found[1].lower() or "-"}


def has_password(value: str) -> bool:
    """Check that the password of a key=value string is no stand-in."""
    found = _PASSWORD.search(value)
    return found is not None and not is_placeholder(found[1])


def has_random_tail(value: str) -> bool:
    """Check that what follows the last = of the signature is drawn."""
    return is_random(re.split(r"(?:AccountKey|SharedAccessKey|sig)=", value, flags=re.IGNORECASE)[-1].rstrip("="))


DETECTOR = Detector(
    entity="CONNECTION_STRING",
    rules=(
        Rule(
            name="url",
            pattern=(
                r"[a-z][a-z0-9+.-]{1,30}://[^\s/@:\"'<>`?#,;(){}]{0,64}:[^\s/@\"'<>`]{3,128}@"
                r"[\w.-]{1,128}(?:,[\w.:-]{1,128}){0,4}(?::\d{2,5})?(?:/[\w./?=&%+-]{0,128})?"
            ),
            prefilter=r"://[^\s/@:\"'<>`?#,;(){}]{0,64}:[^\s/@\"'<>`]{3,128}@[\w]",
            score=0.92,
            check=has_url_password,
            not_after=r"\w",
            not_before="",
            ignore_case=True,
        ),
        Rule(
            name="key-value",
            pattern=(
                r"(?:server|data source|host|address|addr|network address|driver|provider)\s?=[^;\n\"]{1,128};"
                r"(?:[\w .-]{1,40}=[^;\n\"]{0,128};){0,12}?\s?(?:password|pwd)\s?=\s?[^;\n\"]{3,128}"
            ),
            prefilter=r";\s?(?:password|pwd)\s?=",
            score=0.92,
            check=has_password,
            not_before="",
            ignore_case=True,
        ),
        Rule(
            name="jdbc",
            pattern=r"jdbc:[a-z0-9]{2,20}:[^\s\"'<>]{2,256}?[?&;:](?:password|pwd)=[^\s\"'<>&;]{3,128}",
            prefilter=r"[?&;:](?:password|pwd)=[^\s]{3}",
            score=0.93,
            check=has_password,
            not_before="",
            ignore_case=True,
        ),
        Rule(
            name="jdbc-oracle",
            pattern=r"jdbc:oracle:[a-z]{2,8}:[\w$]{2,32}/[^\s/@\"']{3,64}@[\w./:-]{1,128}",
            anchors=("jdbc:oracle:",),
            score=0.93,
            not_before="",
            ignore_case=True,
        ),
        Rule(
            name="azure-storage",
            pattern=r"(?:DefaultEndpointsProtocol=https?;)?AccountName=[a-z0-9]{3,24};AccountKey=[A-Za-z0-9+/]{40,90}={0,2}",
            anchors=("AccountKey=",),
            score=0.96,
            check=has_random_tail,
            not_before="",
            ignore_case=True,
        ),
        Rule(
            name="azure-shared-access-key",
            pattern=(
                r"(?:(?:Endpoint=sb://|HostName=)[^;\s]{3,128};)?(?:SharedAccessKeyName|DeviceId|SharedAccessKeyName)=[^;\s]{1,64};"
                r"(?:EntityPath=[^;\s]{1,64};)?SharedAccessKey=[A-Za-z0-9+/]{40,90}={0,2}"
            ),
            anchors=("SharedAccessKey=",),
            score=0.96,
            check=has_random_tail,
            not_before="",
            ignore_case=True,
        ),
        Rule(
            name="azure-shared-access-signature",
            pattern=r"\bs[vr]=[^\s\"'<>]{4,400}?&sig=[A-Za-z0-9%+/=]{40,120}",
            anchors=("sig=",),
            score=0.94,
            check=has_random_tail,
            not_after="",
            not_before="",
        ),
    ),
    examples=(
        "[[postgresql://ada:tr0ub4dor@db.internal:5432/orders]]",
        "[[amqps://ada:tr0ub4dor@queue.internal/jobs]]",
        "[[Server=db.internal;Database=orders;User Id=ada;Password=tr0ub4dor&3]]",
        "[[jdbc:mysql://db.internal:3306/orders?user=ada&password=tr0ub4dor]]",
        "[[jdbc:oracle:thin:ada/tr0ub4dor@db.internal:1521:orders]]",
        "[[DefaultEndpointsProtocol=https;AccountName=orders;AccountKey=" + "k3Jd8sLq0Zx7Vn2Bm5Rt" * 4 + "vWyQ2A==]];",
        "[[Endpoint=sb://orders.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey="
        + "k3Jd8sLq0Zx7Vn2Bm5Rt" * 2
        + "vWy=]]",
        "https://orders.blob.core.windows.net/a?[[sv=2022-11-02&ss=b&sig=" + "k3Jd8sLq0Zx7Vn2Bm5Rt" * 2 + "vWy%3D]]",
    ),
    counter_examples=(
        "postgresql://user:password@localhost/db",
        "https://example.org:8080/@team",
        "redis://:${REDIS_PASSWORD}@cache:6379/0",
        "ssh://git@github.com:22/a/b.git",
        "Server=db;User Id=ada;Password=<password>;",
    ),
    sources=(
        "RFC 3986, section 3.2.1",
        "https://www.postgresql.org/docs/current/libpq-connect.html",
        "https://www.mongodb.com/docs/manual/reference/connection-string/",
        "https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string",
    ),
)

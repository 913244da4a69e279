"""Telephone numbers: international with the calling codes' own lengths, and national ones as they are written."""

import re

from vestibule.detection.rules import Detector, Rule
from vestibule.detection.validation.checks import digits_of
from vestibule.detection.validation.number_plans import has_plan

# Lengths of the national number (fewest, most) by calling code. Source: ITU-T E.164 and the national numbering plans.
_LENGTHS: dict[str, tuple[int, int]] = {
    code: (low, high)
    for low, high, codes in (
        (4, 5, "290"),
        (4, 7, "690 683"),
        (5, 6, "247"),
        (5, 7, "688 500 682"),
        (5, 8, "676 677 678 47 686 386"),
        (5, 11, "27 64 31 852 685 352"),
        (5, 12, "358 971 49 598"),
        (5, 14, "82 43"),
        (6, 7, "597 298 299 672 687"),
        (6, 9, "252 355 421 376 689 40 508 681"),
        (6, 10, "46 95 880 53 98"),
        (6, 12, "375 595 39 381 61 359 63"),
        (7, 7, "238 239 246 248 269 291 297 592 673 674 680 691 692"),
        (7, 8, "241 599 670 675 853 961 965 975"),
        (7, 9, "231 385 967 968 220 245 265 354 423"),
        (7, 10, "84 243 254 353 230 267 372 44 48 263 1 960"),
        (7, 12, "886 86 972 62 974 507 503 90 501 679"),
        (8, 8, "45 216 222 223 226 227 228 232 235 236 253 257 266 350 356 357 370 371 373 374 389 505 509 800"),
        (8, 8, "808 973 993"),
        (8, 9, "32 36 51 213 224 233 237 250 258 264 268 377 382 387 591 962 963"),
        (8, 10, "20 60 855 856 964 970 976 378 506 850 66"),
        (8, 11, "55 593 57 65 977 502 504"),
        (8, 13, "92 383 883 91 81"),
        (9, 9, "33 34 41 93 94 211 212 218 221 240 242 244 249 251 255 256 260 261 262 351 420 590 594 596 979"),
        (9, 9, "992 994 995 998"),
        (9, 11, "380 881 966 996 56 870"),
        (10, 11, "52 58 225 229 54 7"),
        (10, 13, "30 234"),
        (11, 12, "888 878"),
    )
    for code in codes.split()
}
_EXTENSION = r"(?:[ ,;]{0,3}(?:ext|extn|extension|x|durchwahl|poste|int|wew|tlf|dw)[ .:]{0,2}\d{1,6})?"
_EXTENSION_TAIL = re.compile(r"[ ,;]*(?:ext|extn|extension|x|durchwahl|poste|int|wew|tlf|dw)[ .:]*\d+$", re.IGNORECASE)


def is_international(value: str) -> bool:
    """Check that the calling code is assigned and the rest as long as its plan has numbers."""
    number = _EXTENSION_TAIL.sub("", value)
    digits = digits_of(number.replace("(0)", ""))
    if digits.startswith("00"):
        digits = digits[2:]
    for size in (1, 2, 3):
        if lengths := _LENGTHS.get(digits[:size]):
            return lengths[0] <= len(digits) - size <= lengths[1] + 1
    return False


def has_plus(value: str) -> bool:
    """Tell whether the number has the sign of international ones, and is no decimal number."""
    return "+" in value[:2] and _DECIMAL.fullmatch(value) is None


def is_north_american(value: str) -> bool:
    """Check area code and exchange. Colombia's mobile numbers are grouped alike. Source: NANPA, numbering plan."""
    number = _EXTENSION_TAIL.sub("", value)
    digits = digits_of(number)[-10:]
    if _CLAUSE.fullmatch(number):
        return False
    return (digits[0] > "1" and digits[3] > "1") or _COLOMBIAN.fullmatch(number) is not None


def is_national(value: str) -> bool:
    """Check that one of the larger countries' plans has such a number behind its trunk prefix."""
    digits = digits_of(_EXTENSION_TAIL.sub("", value))
    return has_plan(digits) and len(set(digits)) > 2


def is_plausible(value: str) -> bool:
    """Check that the digits are as many as numbers have, and grouped as numbers are."""
    number = _EXTENSION_TAIL.sub("", value)
    digits = digits_of(number)
    groups = _GROUP.findall(number)
    # Two groups of which the second is the shorter by far: a house number, a page, a quantity.
    is_lopsided = len(groups) == 2 and len(groups[1]) < 3 <= len(groups[0])
    is_grouped_well = not is_lopsided and not _IP_V4.fullmatch(number)
    return 6 <= len(digits) <= 13 and is_grouped_well and len(set(digits)) > 2 and not _is_span_of_years(number)


def _is_span_of_years(number: str) -> bool:
    years = _YEARS.fullmatch(number)
    return years is not None and years[1] <= years[2]


_GROUP = re.compile(r"\d+")
# A clause of the procurement regulations of the United States. Source: 48 CFR chapter 2, part 252.
_CLAUSE = re.compile(r"\d{3}\.\d{3}-\d{4}")
_DECIMAL = re.compile(r"\+\d+\.\d+")
_COLOMBIAN = re.compile(r"3(?:0[0-5]|1\d|2[0-4]|5[01]) \d{3} \d{4}")
_YEARS = re.compile(r"((?:19|20)\d\d)[ /.-]{1,3}((?:19|20)\d\d)")
# Moments and bank accounts have digits in groups as well: they are consumed before a number is looked for.
_CLOCK = r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?"
_CONSUMED = "|".join(
    (
        rf"(?:19|20)\d\d[-/.]\d{{1,2}}[-/.]\d{{1,2}}(?:[T ]{_CLOCK})?",
        rf"\d{{1,2}}[-/. ]\d{{1,2}}[-/. ](?:19|20)\d\d(?:[T ,]{{1,2}}{_CLOCK})?",
        r"[01]\d[0-3]\d/[0-2]\d[0-5]\d[0-5]\d",
        rf"\d{{1,2}}[-/.]\d{{1,2}}(?:[-/.]\d\d)? {_CLOCK}|{_CLOCK}",
        r"[A-Z]{2}\d\d(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?",
    )
)
# Postal codes of the United States that begin with a zero.
_POSTAL = r"(?:[A-Z]{2}|Massachusetts|Connecticut|Maine|Vermont|Hampshire|Jersey|Island),?\s{1,3}0\d{4}-\d{4}"
# Source: Amazon, order numbers.
_ORDER = r"\d{3}-\d{7}-\d{7}"
_IP_V4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_NOT_AFTER = r"\w.+/-"
_JOINT = r"(?: ?[-./] ?| ?\(\d{1,4}\)[ -]?| )"
_AREA = r"\([0-9][0-9 -]{0,4}[0-9]?\)[ -]?"
_NANP = rf"(?:\+?1[ .-]?)?(?:\([0-9]{{3}}\)[ .-]?|[0-9]{{3}}[-. /])[0-9]{{3}}[-. ][0-9]{{4}}{_EXTENSION}"
_TRUNK = rf"(?:\(0\d{{1,4}}\)[ ./-]?|0\d{{1,4}} ?[ ./-] ?)\d{{2,8}}(?:[ ./-]\d{{2,5}}){{0,4}}{_EXTENSION}"
_BRACKETED = rf"(?:8 ?)?{_AREA}\d{{2,5}}(?:[ -]?\d{{2,4}}){{1,3}}{_EXTENSION}"
_PAIRS = rf"\d{{1,3}}[ .-]\d{{3}}(?:[ .-]\d\d){{2}}|\d{{3}}(?:[ -]\d\d){{2,3}}|\d\d(?: \d\d){{3,4}}{_EXTENSION}"
# Without a trunk prefix, grouped as no other numbers are: Brazil and Argentina, Russia, Budapest, Spain, Norway.
_FORMS = "|".join(
    (
        r"(?:\([1-9]\d\) ?|[1-9]\d )(?:9\d{4}|[3-7]\d{3}|2[1-9]\d\d)-\d{4}",
        r"8[ -]?(?:\(9\d\d\)|9\d\d)[ -]?\d{3}[ -]\d\d[ -]\d\d",
        r"06[ -]1[ -]\d{3}[ -]\d{4}",
        r"[679]\d\d \d\d \d\d \d\d",
        r"[49]\d\d \d\d \d{3}",
    )
)
# The columns of a table.
_COLUMNS = r"\d{1,12}(?:[ ,;|\t]{1,3}\d{1,12}){5,40}"
# Two or three groups, or a German mobile number: phones where there is nothing else in the text.
_ALONE = "|".join(
    (
        r"[2-9]\d\d \d{3} \d{3,4}",
        r"[2-9]\d (?:\d{3}|\d\d) \d{4}",
        r"[2-9]\d{3} \d{4}",
        r"9 [3-9]\d{3} \d{4}",
        r"[6-9]\d{4}[ -]\d{5}",
        r"(?:3[0-5]|60)\d \d{7}",
        r"0\d \d{3} \d{3}",
        r"01[5-7]\d{8,9}",
    )
)
_LOOSE = rf"(?:\(\d{{1,5}}\)[ -]?)?\d{{1,13}}(?:{_JOINT}\d{{1,8}}){{1,6}}{_EXTENSION}"
_BARE = rf"\d{{6,13}}+{_EXTENSION}"


def _after_moments(pattern: str) -> str:
    return rf"{_CONSUMED}|(?P<value>{pattern})"


# Words that name a number and nothing else, in front of digits.
_LABELS = (
    *(
        "phone",
        "phones",
        "phone number",
        "telephone",
        "tel",
        "tlf",
        "mob",
        "mobile",
        "mobile number",
        "cell",
        "cellphone",
    ),
    *("call me", "call us", "call her", "call him", "call at", "call now", "please call", "callback number"),
    *("fax", "sms", "text me", "whatsapp", "contact number", "contact no", "emergency contact", "reach me"),
    *("landline", "hotline", "ph", "voicemail", "office", "desk"),
    *(
        "telefon*",
        "telefone*",
        "teléfono",
        "teléfonos",
        "móvil",
        "celular",
        "llámame",
        "handy*",
        "mobil*",
        "rufnummer*",
    ),
    *("téléphone", "tél", "cellulare", "telemóvel", "mobiel*", "komórk*", "zadzwoń", "telepon*", "ponsel", "no hp"),
    *("nomor hp", "telp", "gsm", "cep", "điện thoại", "τηλέφων*", "τηλ", "κινητό", "телефон*", "тел", "моб"),
    *("мобильн*", "дзвоніть", "звоните", "позвоните", "هاتف", "الهاتف", "هاتفي", "جوال", "الجوال", "موبايل", "تلفون"),
    *("電話", "电话", "手机", "手機", "致电", "致電", "拨打", "携帯", "전화", "휴대폰", "โทร", "טלפון", "नंबर"),
    *("telefoon*", "puhelin*", "matkapuhelin*", "puh", "sími", "farsími", "mobitel*", "tālrunis", "sđt", "simu"),
    *("número de contacto", "тэл", "тэлефон*", "ტელეფონი", "հեռախոս*", "تليفون", "تلفن", "موبایل", "فون", "連絡先"),
    *("联系方式", "फ़ोन", "फोन", "मोबाइल", "ফোন", "মোবাইল", "தொலைபேசி", "கைபேசி", "ఫోన్"),
)
# Words that name other things as often: a number behind one of them alone has to be grouped as phone numbers are.
_EVERYDAY = (
    *("call", "called", "ring", "dial", "contact", "answering", "messages to", "message on", "line", "extension"),
    *("llame", "ruf*", "portable", "appelez", "chiama", "ligue", "bel", "hubungi", "звонить", "اتصل"),
)
# The identifier of a phone is no phone number.
_OTHER_NUMBERS = tuple(
    f"{word} {kind}"
    for word in (
        "phone",
        "telephone",
        "tel",
        "mobile",
        "cell",
        "call",
        "contact",
        "line",
        "fax",
        "office",
        "desk",
        "sms",
    )
    for kind in ("id", "ids", "code", "uid")
)


_WRITTEN = Detector(
    entity="PHONE_NUMBER",
    rules=(
        Rule(
            name="international",
            pattern=_after_moments(rf"(?:\+|00|\(\+)[1-9]\d{{0,3}}\)?(?:[ ./()-]{{0,3}}\d){{4,14}}{_EXTENSION}"),
            prefilter=r"(?:\+|(?:^|[^\w.,+-])00)[1-9](?:[ ./()-]{0,3}\d){5}",
            score=0.75,
            check=is_international,
            proof=has_plus,
            ignore_case=True,
            not_after=_NOT_AFTER,
        ),
        Rule(
            name="north-american",
            pattern=_NANP,
            prefilter=r"[0-9]{3}(?:\)[ .-]?|[-. /])[0-9]{3}[-. ][0-9]{4}",
            score=0.6,
            broken_score=0.25,
            check=is_north_american,
            ignore_case=True,
            not_after=_NOT_AFTER,
        ),
        Rule(
            name="trunk-prefix",
            pattern=rf"{_ORDER}|{_POSTAL}|{_after_moments(_TRUNK)}",
            # No plan that `is_national` knows has fewer digits than nine.
            prefilter=r"(?:^|[^\w.+/-])\(?0(?:[ ./()-]{0,3}\d){8}",
            score=0.5,
            check=is_national,
            ignore_case=True,
            not_after=_NOT_AFTER,
        ),
        Rule(
            name="bracketed-area",
            pattern=_BRACKETED,
            prefilter=r"(?:^|[^\w.+/-])(?:8 ?)?\([0-9][0-9 -]{0,4}[0-9]?\)[ -]?\d{2,5}[ -]?\d\d",
            score=0.0,
            alone_score=0.6,
            check=is_plausible,
            ignore_case=True,
            not_after=_NOT_AFTER,
        ),
        Rule(
            name="national-form",
            pattern=rf"{_COLUMNS}|{_after_moments(_FORMS)}",
            prefilter=r"\d\)? ?\d{4,5}-\d{4}|8[ -]?\(?9\d\d\)?[ -]?\d{3}[ -]\d\d[ -]\d\d|06[ -]1[ -]\d{3}|"
            r"[4679]\d\d \d\d \d\d[ 0-9]",
            score=0.5,
            check=is_plausible,
            not_after=_NOT_AFTER,
        ),
        Rule(
            name="pairs",
            pattern=_after_moments(f"{_PAIRS}|{_ALONE}"),
            fewest_digits=6,
            score=0.0,
            alone_score=0.5,
            check=is_plausible,
            ignore_case=True,
            not_after=_NOT_AFTER,
        ),
        Rule(
            name="labelled",
            pattern=_after_moments(_LOOSE),
            fewest_digits=6,
            score=0.2,
            check=is_plausible,
            ignore_case=True,
            not_after=_NOT_AFTER,
        ),
    ),
    labels=(*_LABELS, *_EVERYDAY),
    against=_OTHER_NUMBERS,
    examples=(
        "Call [[+44 20 7946 0958]] now",
        "[[(415) 555-2671]]",
        "tel: [[030 901820]]",
        "[[415-555-2671 ext. 12]]",
        "[[0049 30 901820]]",
        "They do not pick up at [[0348 2102744]].",
        "[[8 (301) 123-45-67]]",
        "[[20 21 23 45]]",
        "my mobile is [[07700 900123]]",
        "time [[+4915123456789]]",
        "Tél [[01.42.68.53.00]]",
        "я: [[8 916 123-45-67]]",
        "ligo do [[11 91234-5678]]",
        "[[612 34 56 78]] y [[06 1 234 5678]]",
        "[[9 8765 4321]]",
        "[[0151 23456789]]",
        "[[512 340 678]]",
    ),
    counter_examples=(
        "phone support is available since 2019-2020",
        "2024-10-23 11:22:33",
        "+999 123 456",
        "order 415-555-2671",
        "1732995089",
        "+1 point",
        "0.123 456 789",
        "028-1234567-1234567",
        "11 2023-2024",
        "time 4915123456789",
        "[07.26 18:05]",
        "Boston, MA  02110-1301, USA",
        "as defined in clause 252.227-7013",
        "612 34 56 78 11 12 13",
    ),
    sources=("ITU-T E.164", "ITU-T E.123", "https://www.nanpa.com/numbering"),
)
_RUN = Detector(
    entity="PHONE_NUMBER",
    rules=(
        Rule(
            name="bare",
            pattern=_BARE,
            score=0.2,
            check=is_plausible,
            ignore_case=True,
            # ASCII only: Chinese and its like write the label right before the value.
            not_after=r"0-9A-Za-z_.+/-",
            not_before=r"0-9A-Za-z_:/",
        ),
    ),
    labels=_LABELS,
    against=_OTHER_NUMBERS,
    examples=(
        "phone [[5551234567]]",
        "please call me at [[4155552671]]",
        "手机号[[13812345678]]",
        "тел. [[89031234567]]",
        "मोबाइल: [[9876543210]]",
        "telefoonnummer [[0612345678]]",
    ),
    counter_examples=(
        "call 4123987650 took 3 ms",
        '"phone_id": 1738204915',
        "cellId: 2125550134",
        "contact 4123987650 was updated",
        "4155552671",
    ),
    sources=("ITU-T E.164",),
)
DETECTORS = (_WRITTEN, _RUN)

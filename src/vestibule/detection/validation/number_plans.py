"""National numbering plans: those of the largest countries with a trunk prefix, and of some others in Europe.

Source: ITU-T E.164 national numbering plans, in the form of libphonenumber's general description of each.
"""

import re
from functools import cache

# Trunk prefixes other than 0.
_TRUNKS = {"RU": "8", "HU": "06"}
# Country: expression of the national number after the trunk prefix.
_PLANS = {
    "CN": (
        r"(?:(?:1[03-689]|2\d)\d\d|6)\d{8}|1\d{10}|[126]\d{6}(?:\d(?:\d{2})?)?|86\d{5,6}|(?:[3-579]\d|8[0-57-9])\d{5,9}"
    ),
    "IN": r"(?:000800|[2-9]\d\d)\d{7}|1\d{7,12}",
    "ID": r"00[1-9]\d{9,14}|(?:[1-36]|8\d{5})\d{6}|00\d{9}|[1-9]\d{8,10}|[2-9]\d{7}",
    "PK": (
        r"122\d{6}|[24-8]\d{10,11}|9(?:[013-9]\d{8,10}|2(?:[01]\d\d|2(?:[06-8]\d|1[01]))\d{7})|(?:[2-8]\d{3}|"
        r"92(?:[0-7]\d|8[1-9]))\d{6}|[24-9]\d{8}|[89]\d{7}"
    ),
    "NG": r"(?:20|9\d)\d{8}|[78]\d{9,13}",
    "BR": r"[1-467]\d{9,10}|55[0-46-9]\d{8}|[34]\d{7}|55\d{7,8}|(?:5[0-46-9]|[89]\d)\d{7,9}",
    "BD": r"[1-469]\d{9}|8[0-79]\d{7,8}|[2-79]\d{8}|[2-9]\d{7}|[3-9]\d{6}|[57-9]\d{5}",
    "RU": r"8\d{13}|[347-9]\d{9}",
    "JP": r"00[1-9]\d{6,14}|[25-9]\d{9}|(?:00|[1-9]\d\d)\d{6}",
    "ET": r"(?:11|[2-57-9]\d)\d{7}",
    "PH": r"(?:[2-7]|9\d)\d{8}|2\d{5}|(?:1800|8)\d{7,9}",
    "EG": r"[189]\d{8,9}|[24-6]\d{8}|[135]\d{7}",
    "VN": r"[12]\d{9}|[135-9]\d{8}|[16]\d{6,7}|7\d{6}",
    "CD": r"(?:(?:[189]|5\d)\d|2)\d{7}|[1-68]\d{6}",
    "TR": r"4\d{6}|8\d{11,12}|(?:[2-58]\d\d|900)\d{7}",
    "IR": r"[1-9]\d{9}|(?:[1-8]\d\d|9)\d{3,4}",
    "DE": (
        r"[2579]\d{5,14}|49(?:[34]0|69|8\d)\d\d?|49(?:37|49|60|7[089]|9\d)\d{1,3}|49(?:2[024-9]|3[2-689]|"
        r"7[1-7])\d{1,8}|(?:1|[368]\d|4[0-8])\d{3,13}|49(?:[015]\d|2[13]|31|[46][1-8])\d{1,9}"
    ),
    "TH": r"(?:001800|[2-57]|[689]\d)\d{7}|1\d{7,9}",
    "GB": r"[1-357-9]\d{9}|[18]\d{8}|8\d{6}",
    "FR": r"[1-9]\d{8}",
    "TZ": r"(?:[25-8]\d|41|90)\d{7}",
    "ZA": r"[1-79]\d{8}|8\d{4,9}",
    "KE": r"(?:[17]\d\d|900)\d{6}|(?:2|80)0\d{6,7}|[4-6]\d{6,8}",
    "MM": r"1\d{5,7}|95\d{6}|(?:[4-7]|9[0-46-9])\d{6,8}|(?:2|8\d)\d{5,8}",
    "CO": r"(?:46|60\d\d)\d{6}|(?:1\d|[39])\d{9}",
    "KR": r"00[1-9]\d{8,11}|(?:[12]|5\d{3})\d{7}|[13-6]\d{9}|(?:[1-6]\d|80)\d{7}|[3-6]\d{4,5}|(?:00|7)0\d{8}",
    "UG": r"800\d{6}|(?:[29]0|[347]\d)\d{7}",
    "SD": r"[19]\d{8}",
    "AR": r"(?:11|[89]\d\d)\d{8}|[2368]\d{9}",
    "UA": r"[89]\d{9}|[3-9]\d{8}",
    "DZ": r"(?:[1-4]|[5-79]\d|80)\d{7}",
    "IQ": r"(?:1|7\d\d)\d{7}|[2-6]\d{7,8}",
    "MA": r"[5-8]\d{8}",
    "SA": r"(?:[15]\d|800|92)\d{7}",
    "PE": r"(?:[14-8]|9\d)\d{7}",
    "MY": r"1\d{8,9}|(?:3\d|[4-9])\d{7}",
    "AU": r"1(?:[0-79]\d{7}(?:\d(?:\d{2})?)?|8[0-24-9]\d{7})|[2-478]\d{8}|1\d{4,7}",
    "NL": r"(?:[124-7]\d\d|3(?:[02-9]\d|1[0-8]))\d{6}|8\d{6,9}|9\d{6,10}|1\d{4,5}",
    "BE": r"4\d{8}|[1-9]\d{7}",
    "SE": r"(?:[26]\d\d|9)\d{9}|[1-9]\d{8}|[1-689]\d{7}|[1-4689]\d{6}|2\d{5}",
    "CH": r"8\d{11}|[2-9]\d{8}",
    "AT": (
        r"1\d{3,12}|2\d{6,12}|43(?:(?:0\d|5[02-9])\d{3,9}|2\d{4,5}|[3467]\d{4}|8\d{4,6}|9\d{4,7})|5\d{4,12}|8\d{7,12}|"
        r"9\d{8,12}|(?:[367]\d|4[0-24-9])\d{4,11}"
    ),
    "FI": r"[1-35689]\d{4}|7\d{10,11}|(?:[124-7]\d|3[0-46-9])\d{8}|[1-9]\d{5,8}",
    "IE": r"(?:1\d|[2569])\d{6,8}|4\d{6,9}|7\d{8}|8\d{8,9}",
    "RO": r"(?:[2378]\d|90)\d{7}|[23]\d{5}",
    "HU": r"[235-7]\d{8}|[1-9]\d{7}",
    "IL": r"1\d{6}(?:\d{3,5})?|[57]\d{8}|[1-489]\d{7}",
    "NZ": r"[1289]\d{9}|50\d{5}(?:\d{2,3})?|[27-9]\d{7,8}|(?:[34]\d|6[0-35-9])\d{6}|8\d{4,6}",
    "TW": r"[2-689]\d{8}|7\d{9,10}|[2-8]\d{7}|2\d{6}",
}
_FEWEST, _MOST = 9, 11
# Mobile numbers of Germany and Austria, some of which have more digits than others have.
# Source: Bundesnetzagentur, Rufnummernbereich (0)15, (0)16; RTR, Kommunikationsparameter-Verordnung.
_LONG = re.compile(r"01(?:5\d{9,10}|6[023]\d{8,9}|7\d{9})|06[5-9]\d{9}")


def has_plan(digits: str) -> bool:
    """Tell whether `digits`, with the trunk prefix, are a number of one of the plans and long enough to be certain."""
    is_usual = _FEWEST <= len(digits) <= _MOST and _all_plans().fullmatch(digits) is not None
    return is_usual or _LONG.fullmatch(digits) is not None


@cache
def _all_plans() -> re.Pattern[str]:
    return re.compile("|".join(f"{_TRUNKS.get(country, '0')}(?:{plan})" for country, plan in _PLANS.items()))

"""China: resident identity numbers, social credit codes and passports."""

from vestibule.detection.detectors.national_ids import NATIONAL_WORDS, Standard, labelled, passport, standing
from vestibule.detection.rules import Detector

_RESIDENT = Standard("cn.ric")
_CREDIT = Standard("cn.uscc")

DETECTORS = (
    Detector(
        entity="CN_RESIDENT_ID",
        # Region, date of birth and check digit.
        rules=(
            standing(
                "number",
                r"[1-8]\d{5}(?:19|20)\d{2}[01]\d[0-3]\d{4}[\dXx]",
                _RESIDENT,
                score=0.7,
                prefilter=r"[1-8]\d\d\d\d\d(?:19|20)\d\d[01]\d[0-3]\d\d\d\d[\dXx]",
            ),
        ),
        labels=("身份证", "身份证号", "公民身份号码", "身份证号码", "chinese id", *NATIONAL_WORDS),
        examples=("[[110105198507140096]]", "身份证号 [[44030619920314167X]]", "身份证 [[110105198507140097]]"),
        counter_examples=("110105198507140097", "order 110105198507140096"),
        sources=("GB 11643-1999", "python-stdnum, stdnum.cn.ric"),
    ),
    Detector(
        entity="CN_SOCIAL_CREDIT_CODE",
        rules=(labelled("code", r"[1-9AHJNPQ][1-9A-HJ-NPQRTUWXY]\d{6}[0-9A-HJ-NPQRTUWXY]{10}", _CREDIT),),
        labels=("统一社会信用代码", "social credit code"),
        examples=("统一社会信用代码 [[9111000078180167R7]]",),
        counter_examples=("9111000078180167R7",),
        sources=("GB 32100-2015", "python-stdnum, stdnum.cn.uscc"),
    ),
    passport("CN", "chinese", r"[EGDSPH]\d{8}|E[A-HJ-NP-Z]\d{7}", "E12345678", words=("护照", "护照号码", "护照号")),
)

"""Japan: individual numbers (My Number), passports and driving licences."""

from vestibule.detection.detectors.national_ids import (
    Standard,
    driving_licence,
    labelled,
    passport,
)
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="JP_MY_NUMBER",
        rules=(labelled("number", r"\d{4}[ -]?\d{4}[ -]?\d{4}", Standard("jp.in_")),),
        labels=("マイナンバー", "個人番号", "my number", "individual number"),
        examples=("マイナンバー: [[5963 4161 1857]]", "my number [[967515040330]]"),
        counter_examples=("596341611857", "order 5963 4161 1857"),
        sources=("https://www.digital.go.jp/", "python-stdnum, stdnum.jp.in_"),
    ),
    Detector(
        entity="JP_CORPORATE_NUMBER",
        rules=(labelled("number", r"[1-9]\d{12}", Standard("jp.cn")),),
        labels=("法人番号", "corporate number"),
        examples=("法人番号 [[5634719783007]]",),
        counter_examples=("5634719783007",),
        sources=("https://www.houjin-bangou.nta.go.jp/", "python-stdnum, stdnum.jp.cn"),
    ),
    passport(
        "JP", "japanese", r"[A-Z]{2}\d{7}", "TK1234567", words=("パスポート", "旅券番号", "パスポート番号", "旅券")
    ),
    driving_licence(
        "JP",
        "japanese",
        r"\d{12}",
        "305012345678",
        words=("運転免許証", "免許証番号", "運転免許"),
        sources=("https://www.npa.go.jp/",),
    ),
)

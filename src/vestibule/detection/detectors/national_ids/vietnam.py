"""Vietnam: citizen identity numbers, tax codes and passports."""

from vestibule.detection.detectors.national_ids import Standard, labelled, passport
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="VN_CITIZEN_ID",
        rules=(labelled("labelled", r"0\d{2}[0-9]\d{8}|\d{9}"),),
        labels=(
            "cccd",
            "căn cước công dân",
            "cmnd",
            "chứng minh nhân dân",
            "số căn cước",
        ),
        examples=(
            "CCCD: [[001084012345]]",
            "chứng minh nhân dân [[012345678]]",
        ),
        counter_examples=("001084012345",),
        sources=("Nghị định 137/2015/NĐ-CP",),
    ),
    Detector(
        entity="VN_TAX_ID",
        rules=(labelled("number", r"\d{10}(?:-\d{3})?", Standard("vn.mst")),),
        labels=(
            "mã số thuế",
            "mst",
        ),
        examples=("mã số thuế: [[0362578641]]",),
        counter_examples=("0362578641",),
        sources=(
            "https://www.gdt.gov.vn/",
            "python-stdnum, stdnum.vn.mst",
        ),
    ),
    passport(
        "VN",
        "vietnamese",
        r"[A-Z]\d{7,8}",
        "C1234567",
        words=(
            "hộ chiếu",
            "số hộ chiếu",
        ),
    ),
)

"""Croatia: personal identification numbers (OIB) and passports."""

from vestibule.detection.detectors.national_ids import Standard, labelled, passport
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="HR_OIB",
        rules=(labelled("bare", r"(?:HR)?\d{11}", Standard("hr.oib")),),
        labels=("oib", "osobni identifikacijski broj"),
        examples=("OIB: [[62707631652]]", "osobni identifikacijski broj [[55950257586]]"),
        counter_examples=("62707631652", "order 62707631652"),
        sources=("https://www.porezna-uprava.hr/", "python-stdnum, stdnum.hr.oib"),
    ),
    passport("HR", "croatian", r"\d{9}", "007007007", words=("putovnica", "putovnice", "broj putovnice")),
)

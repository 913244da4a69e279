"""Israel: identity numbers and passports."""

from vestibule.detection.detectors.national_ids import Standard, labelled, passport
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="IL_ID_NUMBER",
        rules=(labelled("bare", r"\d{8,9}|\d{8}-\d", Standard("il.idnr")),),
        labels=("תעודת זהות", "מספר זהות", "ת.ז", 'ת"ז', "teudat zehut", "israeli id"),
        examples=("teudat zehut: [[134918572]]", "תעודת זהות [[281467217]]"),
        counter_examples=("134918572", "order 134918572"),
        sources=("https://www.gov.il/", "python-stdnum, stdnum.il.idnr"),
    ),
    passport("IL", "israeli", r"\d{7,9}", "12345678", words=("דרכון", "מספר דרכון")),
)

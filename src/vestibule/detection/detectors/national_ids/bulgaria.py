"""Bulgaria: civil numbers (EGN) and passports."""

from vestibule.detection.detectors.national_ids import Standard, labelled, passport
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="BG_EGN",
        rules=(labelled("bare", r"\d{10}", Standard("bg.egn")),),
        labels=("егн", "единен граждански номер", "egn", "bulgarian id"),
        examples=("ЕГН: [[8507238246]]", "EGN [[8507230456]]"),
        counter_examples=("8507238246", "order 8507238246"),
        sources=("https://www.grao.bg/", "python-stdnum, stdnum.bg.egn"),
    ),
    passport("BG", "bulgarian", r"\d{9}", "381234567", words=("български паспорт",)),
)

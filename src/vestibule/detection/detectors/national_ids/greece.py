"""Greece: social security (AMKA) and tax numbers (AFM), identity cards and passports."""

from vestibule.detection.detectors.national_ids import Standard, labelled, passport
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="GR_AMKA",
        # Date of birth and check digit.
        rules=(labelled("bare", r"[0-3]\d[01]\d{8}", Standard("gr.amka"), is_sufficient_alone=True),),
        labels=("αμκα", "amka", "α.μ.κ.α"),
        examples=("ΑΜΚΑ: [[15068472123]]", "AMKA [[15068425576]]", "[[15068472123]]"),
        counter_examples=("15068472124", "order 15068472123"),
        sources=("https://www.amka.gr/", "python-stdnum, stdnum.gr.amka"),
    ),
    Detector(
        entity="GR_AFM",
        rules=(labelled("bare", r"(?:EL)?\d{9}", Standard("gr.vat")),),
        labels=("αφμ", "afm", "α.φ.μ", "αριθμός φορολογικού μητρώου"),
        examples=("ΑΦΜ: [[207599590]]", "AFM [[588377510]]"),
        counter_examples=("207599590",),
        sources=("https://www.aade.gr/", "python-stdnum, stdnum.gr.vat"),
    ),
    Detector(
        entity="GR_ID_CARD",
        rules=(labelled("labelled", r"[A-ZΑ-Ω]{1,2}[ -]?\d{6}"),),
        labels=("αδτ", "ταυτότητα", "αριθμός ταυτότητας", "δελτίο ταυτότητας", "greek id card"),
        examples=("αριθμός ταυτότητας: [[ΑΒ 123456]]", "greek id card [[AK123456]]"),
        counter_examples=("AK123456", "order AK123456"),
        sources=("https://www.consilium.europa.eu/prado/",),
    ),
    passport("GR", "greek", r"[A-Z]{2}\d{7}", "AE1234567", words=("διαβατήριο", "αριθμός διαβατηρίου")),
)

"""European Union: value added tax numbers with their country."""

from vestibule.detection.detectors.national_ids import Standard, labelled
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="EU_VAT_NUMBER",
        rules=(
            labelled(
                "prefixed",
                r"(?:ATU|B[EG]|C[YZ]|D[EK]|E[ELS]|F[IR]|H[RU]|I[ET]|L[TUV]|MT|NL|P[LT]|RO|S[EIK]|XI) ?\d[0-9A-Z]{6,11}",
                Standard("eu.vat"),
            ),
        ),
        labels=(
            *(
                "vat",
                "vat no",
                "vat id",
                "ust idnr",
                "ust id",
                "u st id nr",
                "u st id",
                "umsatzsteuer id",
                "umsatzsteuer identifikationsnummer",
            ),
            *("numéro de tva", "tva", "n tva", "nif iva", "partita iva", "btw nummer", "uid nummer"),
        ),
        examples=("USt-IdNr. [[DE 136695976]]", "VAT: [[ATU13585627]]"),
        counter_examples=("DE 136695976", "order DE136695976"),
        sources=("https://taxation-customs.ec.europa.eu/vat-identification-numbers_en", "python-stdnum, stdnum.eu.vat"),
    ),
)

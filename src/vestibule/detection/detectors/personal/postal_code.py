"""Postal codes, with a label only."""

from vestibule.detection.rules import Detector, DetectorExample, Rule

DETECTOR = Detector(
    entity="POSTAL_CODE",
    rules=(
        Rule(
            name="lettered",
            pattern=r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z][ -]?\d[A-Z]\d|\d{4} ?[A-Z]{2}|"
            r"(?:AD|LV|LT|MD|SI|VC)-?\d{3,5}",
            score=0.3,
            ignore_case=True,
        ),
        Rule(
            name="digits",
            pattern=r"\d{5}(?:-\d{3,4})?|\d{3} ?\d{2}|\d{2}-\d{3}|\d{4}-\d{3}|\d{3}-\d{4}|\d{6}|\d{4}",
            score=0.1,
        ),
    ),
    labels=(
        *("zip", "zip code", "zipcode", "postal code", "postcode", "post code", "postal", "plz", "postleitzahl"),
        *("código postal", "codigo postal", "code postal", "cap", "codice postale", "cep", "kod pocztowy", "pin code"),
        *("поштовий індекс", "індекс"),
    ),
    examples=(
        "postcode [[SW1A 1AA]]",
        "ZIP: [[94103-1234]]",
        "PLZ [[10115]]",
        DetectorExample("[[00-950]]", key="postal_code"),
    ),
    counter_examples=("94103", "SW1A 1AA", "zip 12 files", "unzip 12345678"),
    sources=("UPU, postal addressing systems in member countries",),
)

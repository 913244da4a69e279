"""Street addresses, with a label only: without one they need a model of the language."""

from vestibule.detection.rules import Detector, DetectorExample, Rule

_STREET = (
    r"(?:street|st|avenue|ave|road|rd|lane|ln|drive|dr|"
    r"boulevard|blvd|court|ct|place|pl|square|sq|way|terrace|close|crescent|highway)"
)
_NAME = r"[^\W\d_][\w'’.-]{0,30}"
_HOUSE = r"\d{1,5}[A-Za-z]?(?:[-/]\d{1,4}[A-Za-z]?)?"
_PREFIX = (
    r"(?:rue|avenue|calle|avenida|via|viale|piazza|rua|praça|ulica|ul\.|al\.|plaza|boulevard|place|chemin|"
    r"вул\.|вулиця|просп\.)"
)
_SUFFIXES = ("straße", "strasse", "str.", "weg", "platz", "allee", "gasse", "straat", "laan", "plein", "gracht")


def is_street(value: str) -> bool:
    """Check that a single word before the number ends as streets do."""
    word, *others = value.lower().split()
    return len(others) > 1 or any(word.endswith(suffix) and len(word) > len(suffix) + 1 for suffix in _SUFFIXES)


DETECTOR = Detector(
    entity="STREET_ADDRESS",
    rules=(
        Rule(
            name="number-first",
            pattern=rf"{_HOUSE},? (?:{_NAME} ){{1,4}}{_STREET}\.?(?:,? (?:apt|suite|unit|flat|#)\.? ?\w{{1,6}})?",
            prefilter=r"\d[\w-]{0,6},? [A-Za-z]",
            score=0.3,
            ignore_case=True,
        ),
        Rule(
            name="number-last",
            pattern=rf"(?:{_PREFIX} (?:{_NAME} ){{0,4}}{_NAME},? (?:n[°ºr.]{{0,2}} ?)?|[^\W\d_]{{4,31}}+\.? ){_HOUSE}",
            check=is_street,
            score=0.3,
            ignore_case=True,
        ),
    ),
    labels=(
        *(
            "address",
            "street",
            "street address",
            "home address",
            "mailing address",
            "billing address",
            "lives at",
            "live at",
        ),
        *(
            "shipping address",
            "residence",
            "ship to",
            "addr",
            "adresse",
            "anschrift",
            "wohnhaft",
            "dirección",
            "domicilio",
        ),
        *("direccion", "domicile", "indirizzo", "residente", "residenza", "endereço", "morada", "adres", "woonplaats"),
        *("zamieszkały", "zamieszkała", "адреса", "мешкає", "проживає"),
    ),
    examples=(
        "Address: [[221B Baker Street]], London",
        "wohnhaft [[Hauptstraße 12a]]",
        "indirizzo: [[Via Garibaldi 15]]",
        DetectorExample("[[1600 Pennsylvania Ave]]", key="billing_address"),
    ),
    counter_examples=(
        "221B Baker Street",
        "ip address 10.0.0.1",
        "2 long days on the way",
        "address the 5 open issues",
    ),
    sources=("UPU S42", "USPS Publication 28"),
)

"""Health insurance, patient and practitioner numbers."""

from vestibule.detection.detectors.national_ids import Standard, labelled, named, standing
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import compact, digits_of, is_one_digit_repeated, passes_luhn, weighted_sum

_MBI_LETTER = "[AC-HJKMNP-RT-Y]"
_MBI_ANY = "[0-9AC-HJKMNP-RT-Y]"
_NHS = Standard("gb.nhs")


def is_npi(value: str) -> bool:
    """Check the last digit, by Luhn with 80840 before the number. Source: CMS, NPI check digit."""
    digits = digits_of(value)
    return passes_luhn(f"80840{digits}") and not is_one_digit_repeated(digits[:-1])


def is_dea(value: str) -> bool:
    """Check the last digit: the odd places and twice the even ones, modulo 10."""
    return weighted_sum(value[2:], (1, 2, 1, 2, 1, 2)) % 10 == int(value[8])


def is_medicare(value: str) -> bool:
    """Check the ninth digit: weights 1 3 7 9 twice, modulo 10."""
    digits = digits_of(value)
    return weighted_sum(digits, (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(digits[8])


def is_kvnr(value: str) -> bool:
    """Check the last digit: by Luhn's way over the letter as two digits and the eight after it."""
    code = compact(value)
    digits = f"{ord(code[0]) - 64:02}{code[1:9]}"
    products = (int(digit) * (1 + place % 2) for place, digit in enumerate(digits))
    return sum(product // 10 + product % 10 for product in products) % 10 == int(code[9])


def is_lanr(value: str) -> bool:
    """Check the seventh digit: weights 4 and 9 by turns, modulo 10."""
    return (10 - weighted_sum(value, (4, 9, 4, 9, 4, 9)) % 10) % 10 == int(value[6])


def is_health_card(value: str) -> bool:
    """Check the last of the ten digits, by Luhn."""
    return passes_luhn(digits_of(value))


DETECTORS = (
    Detector(
        entity="US_MBI",
        rules=(
            standing(
                "number",
                rf"[1-9]{_MBI_LETTER}{_MBI_ANY}\d-?{_MBI_LETTER}{_MBI_ANY}\d-?{_MBI_LETTER}{{2}}\d{{2}}",
                None,
                score=0.6,
                prefilter=r"[1-9][AC-Y][0-9AC-Y]\d-?[AC-Y][0-9AC-Y]\d-?[AC-Y][AC-Y]\d\d",
            ),
        ),
        labels=("mbi", "medicare beneficiary identifier", "medicare number", "medicare id", "medicare"),
        examples=("[[1EG4-TE5-MK73]]", "MBI: [[1EG4TE5MK73]]"),
        counter_examples=("1EG4-LE5-MK73", "1EG4-TE5-MK7", "order 1EG4-TE5-MK73"),
        sources=("https://www.cms.gov/medicare/new-medicare-card/understanding-the-mbi.pdf",),
    ),
    Detector(
        entity="US_NPI",
        rules=(labelled("number", r"[12]\d{9}|[12]\d{3}-\d{3}-\d{3}", is_npi),),
        labels=("npi", "national provider identifier", "provider identifier", "provider number"),
        examples=("NPI: [[1252489608]]", "national provider identifier [[1256-060-991]]"),
        counter_examples=("1252489608", "order 1252489608"),
        sources=("https://www.cms.gov/Regulations-and-Guidance/Administrative-Simplification/NationalProvIdentStand",),
    ),
    Detector(
        entity="MEDICAL_LICENSE",
        rules=(labelled("dea", r"[A-HJ-MPR-UX][A-Z9]\d{7}", is_dea),),
        labels=("dea", "dea number", "dea registration", "medical license", "prescriber number"),
        examples=("DEA number: [[BS2995249]]",),
        counter_examples=("BS2995249", "order BS2995249"),
        sources=("https://www.deadiversion.usdoj.gov/",),
    ),
    Detector(
        entity="MEDICAL_RECORD_NUMBER",
        rules=(
            standing("prefixed", r"MRN-\d{5,10}", None, score=0.6),
            labelled("labelled", r"[A-Z]{0,3}-?\d{5,10}", is_vague=True),
        ),
        labels=(
            "mrn",
            "medical record number",
            "medical record",
            "patient id",
            "patient number",
            "patient no",
            "chart number",
            "medical record no",
            "patientennummer",
            "número de historia clínica",
            "historia clínica",
            "numéro de patient",
            "numero paziente",
            "número de utente",
        ),
        examples=("[[MRN-1027011]]", "medical record number [[00123456]]"),
        counter_examples=("00123456", "MRN-12"),
        sources=("HIPAA, 45 CFR 164.514(b)(2)(i)(H)",),
    ),
    Detector(
        entity="MEDICAL_RECORD_NUMBER",
        rules=(named("named", "patient|chart|hospital", r"[A-Z]{1,4}-\d{5,10}"),),
        examples=("Patient: [[PAT-482137]]",),
        counter_examples=("PAT-482137", "patient 482137", "chart CH-2024"),
        sources=("HIPAA, 45 CFR 164.514(b)(2)(i)(H)",),
    ),
    Detector(
        entity="UK_NHS",
        rules=(labelled("number", r"\d{3}[ -]?\d{3}[ -]?\d{4}", _NHS),),
        labels=("nhs", "nhs number", "nhs no", "national health service", "chi number", "health and care number"),
        examples=("NHS number: [[480 411 0070]]", "NHS [[4455692207]]"),
        counter_examples=("4804110070", "order 4455692207"),
        sources=("https://www.datadictionary.nhs.uk/attributes/nhs_number.html", "python-stdnum, stdnum.gb.nhs"),
    ),
    Detector(
        entity="AU_MEDICARE",
        rules=(labelled("number", r"[2-6]\d{3}[ -]?\d{5}[ -]?\d(?:[ /-]?\d)?", is_medicare),),
        labels=("medicare", "medicare number", "medicare card", "medicare no"),
        examples=("Medicare card: [[2848 95480 1]]", "medicare no [[26569093811]]"),
        counter_examples=("2848 95480 1", "2848954801"),
        sources=("https://www.servicesaustralia.gov.au/medicare-card",),
    ),
    Detector(
        entity="DE_HEALTH_INSURANCE",
        # A letter, eight digits and a check digit.
        rules=(labelled("number", r"[A-Z]\d{9}", is_kvnr, is_sufficient_alone=True),),
        labels=(
            "kvnr",
            "krankenversichertennummer",
            "versichertennummer",
            "krankenkasse",
            "krankenversicherung",
            "krankenversicherungsnummer",
            "gesundheitskarte",
            "egk",
        ),
        examples=("[[A604498032]]", "KVNR: [[A584345744]]"),
        counter_examples=("A604498033", "Bestellung A604498032"),
        sources=("https://www.gkv-spitzenverband.de/", "Sozialgesetzbuch V, paragraph 290"),
    ),
    Detector(
        entity="DE_LANR",
        rules=(labelled("number", r"\d{9}", is_lanr),),
        labels=("lanr", "arztnummer", "lebenslange arztnummer"),
        examples=("LANR: [[916538201]]",),
        counter_examples=("916538201",),
        sources=("https://www.kbv.de/", "Sozialgesetzbuch V, paragraph 293"),
    ),
    Detector(
        entity="DE_BSNR",
        rules=(labelled("number", r"\d{9}"),),
        labels=("bsnr", "betriebsstättennummer", "betriebsstaettennummer"),
        examples=("BSNR: [[021234568]]",),
        counter_examples=("021234568",),
        sources=("https://www.kbv.de/",),
    ),
    Detector(
        entity="CA_HEALTH_CARD",
        rules=(
            labelled("ontario", r"[1-9]\d{3}[ -]?\d{3}[ -]?\d{3}(?:[ -]?[A-Z]{2})?", is_health_card),
            labelled("british-columbia", r"9\d{3} ?\d{3} ?\d{3}", Standard("ca.bc_phn")),
            labelled("quebec", r"[A-Z]{4} ?\d{4} ?\d{4}"),
        ),
        labels=(
            "ohip",
            "health card",
            "health card number",
            "ohip number",
            "phn",
            "personal health number",
            "carte d'assurance maladie",
            "ramq",
            "numéro d'assurance maladie",
        ),
        examples=("OHIP: [[4570-658-189]]", "PHN [[9035 876 992]]", "RAMQ: [[TREM 8406 1512]]"),
        counter_examples=("4570-658-189", "9035 876 992", "TREM 8406 1512"),
        sources=(
            "https://www.ontario.ca/page/health-card",
            "https://www.ramq.gouv.qc.ca/",
            "python-stdnum, stdnum.ca.bc_phn",
        ),
    ),
    Detector(
        entity="NZ_NHI",
        rules=(labelled("number", r"[A-HJ-NP-Z]{3}\d{4}|[A-HJ-NP-Z]{3}\d{2}[A-HJ-NP-Z]{2}"),),
        labels=("nhi", "nhi number", "national health index"),
        examples=("NHI: [[ZAC5361]]",),
        counter_examples=("ZAC5361",),
        sources=("https://www.tewhatuora.govt.nz/",),
    ),
    Detector(
        entity="EHIC",
        rules=(labelled("card", r"80\d{18}"),),
        labels=("ehic", "european health insurance card", "tessera sanitaria", "tarjeta sanitaria europea"),
        examples=("EHIC: [[80276000000123456789]]",),
        counter_examples=("80276000000123456789",),
        sources=("Decision S2 of the Administrative Commission, 12 June 2009",),
    ),
)

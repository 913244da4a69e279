"""France: social security (NIR), tax and company numbers, identity cards, passports and driving licences."""

from vestibule.detection.detectors.national_ids import (
    NATIONAL_WORDS,
    Standard,
    driving_licence,
    labelled,
    passport,
    standing,
)
from vestibule.detection.rules import Detector

_NIR = Standard("fr.nir")

DETECTORS = (
    Detector(
        entity="FR_NIR",
        # Sex, year and month of birth, place, and a key of two digits modulo 97.
        rules=(
            standing(
                "number",
                r"[1278] ?\d{2} ?(?:0[1-9]|1[0-2]|20|3[1-9]|4[0-2]) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}",
                _NIR,
                prefilter=r"(?:^|[^\w.,/-])[1278] ?\d\d ?[0-4]\d ?\d[\dAB] ?\d\d\d ?\d\d\d ?\d\d",
            ),
            # Other first digits and months are for people whose papers are not complete.
            labelled("provisional", r"[1-478] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}", _NIR),
        ),
        labels=(
            *("nir", "numéro de sécurité sociale", "sécurité sociale", "numéro de sécu", "insee", "n° ss"),
            *("securite sociale", "carte vitale", "french social security number", *NATIONAL_WORDS),
        ),
        examples=("[[185077554808941]]", "[[2 84 06 75 270 711 79]]", "sécurité sociale: [[185077554808942]]"),
        counter_examples=("185077554808942", "2 84 06 75 270 711 78", "facture 185077554808941"),
        sources=("https://www.insee.fr/fr/metadonnees/definition/c1409", "python-stdnum, stdnum.fr.nir"),
    ),
    Detector(
        entity="FR_TAX_ID",
        rules=(labelled("bare", r"[0-3]\d ?\d{2} ?\d{3} ?\d{3} ?\d{3}", Standard("fr.nif")),),
        labels=("numéro fiscal", "numéro spi", "spi", "nif", "identifiant fiscal", "numero fiscal"),
        examples=("numéro fiscal: [[3016049652413]]", "SPI [[30 23 763 184 400]]"),
        counter_examples=("3016049652413",),
        sources=("https://www.impots.gouv.fr/", "python-stdnum, stdnum.fr.nif"),
    ),
    Detector(
        entity="FR_SIREN",
        rules=(
            labelled("siret", r"\d{3} ?\d{3} ?\d{3} ?\d{5}", Standard("fr.siret")),
            labelled("siren", r"\d{3} ?\d{3} ?\d{3}", Standard("fr.siren")),
        ),
        labels=("siren", "siret", "numéro siren", "numéro siret", "n° siret"),
        examples=("SIREN [[245 262 092]]", "SIRET: [[91869653500015]]"),
        counter_examples=("245 262 092", "91869653500015"),
        sources=("https://www.sirene.fr/", "python-stdnum, stdnum.fr.siren"),
    ),
    Detector(
        entity="FR_ID_CARD",
        rules=(labelled("number", r"\d{12}|[A-Z0-9]{4}\d{5}|[A-Z]\d[A-Z\d]{7}", is_vague=True),),
        labels=("cni", "carte nationale d'identité", "carte d'identité", "numéro de carte d'identité"),
        examples=("CNI: [[880692310285]]", "carte d'identité [[D2H612345]]"),
        counter_examples=("880692310285", "commande 880692310285"),
        sources=("https://ants.gouv.fr/",),
    ),
    passport(
        "FR", "french", r"\d{2}[A-Z]{2}\d{5}", "12AB34567", words=("passeport", "numéro de passeport", "passeports")
    ),
    driving_licence(
        "FR",
        "french",
        r"\d{12}|\d{2}[A-Z]{2}\d{5}",
        "991092110245",
        words=("permis de conduire", "numéro de permis"),
        sources=("https://ants.gouv.fr/",),
    ),
)

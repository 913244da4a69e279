"""Indonesia: identity numbers (NIK), tax numbers (NPWP) and passports."""

from vestibule.detection.detectors.national_ids import TAX_WORDS, Standard, labelled, passport, standing
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="ID_NIK",
        rules=(labelled("bare", r"[1-9]\d{5}[0-7]\d[01]\d{7}", Standard("id.nik")),),
        labels=(
            "nik",
            "nomor induk kependudukan",
            "ktp",
            "no ktp",
            "nomor ktp",
        ),
        examples=("NIK: [[3171015506840006]]",),
        counter_examples=("3171015506840006",),
        sources=(
            "https://dukcapil.kemendagri.go.id/",
            "python-stdnum, stdnum.id.nik",
        ),
    ),
    Detector(
        entity="ID_NPWP",
        rules=(
            standing("dotted", r"\d{2}\.\d{3}\.\d{3}\.\d-\d{3}\.\d{3}", Standard("id.npwp")),
            labelled("bare", r"\d{15,16}", Standard("id.npwp")),
        ),
        labels=(
            "npwp",
            "nomor pokok wajib pajak",
            *TAX_WORDS,
        ),
        examples=(
            "[[99.133.659.5-179.386]]",
            "NPWP: [[099223844661490]]",
        ),
        counter_examples=(
            "99.133.659.4-179.386",
            "099223844661490",
        ),
        sources=(
            "https://pajak.go.id/",
            "python-stdnum, stdnum.id.npwp",
        ),
    ),
    passport(
        "ID",
        "indonesian",
        r"[A-Z]{1,2}\d{6,7}",
        "B1234567",
        words=(
            "paspor",
            "nomor paspor",
        ),
    ),
)

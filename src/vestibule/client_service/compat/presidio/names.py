"""The names of entities: Presidio's to ours and back.

Source: docs/supported_entities.md of microsoft/presidio at commit 0aa9f8e44275, and the recognizers of
presidio-analyzer 2.2.366. Names that are the same on both sides,
such as `EMAIL_ADDRESS`, stand in no table.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

# What Presidio calls by another name, or what we tell apart further: its name, and ours, the closest first.
OURS: Mapping[str, tuple[str, ...]] = {
    "EMAIL": ("EMAIL_ADDRESS",),
    "US_PASSPORT": ("US_PASSPORT", "PASSPORT"),
    "US_DRIVER_LICENSE": ("US_DRIVER_LICENSE", "DRIVER_LICENSE"),
    "US_BANK_NUMBER": ("US_BANK_NUMBER", "BANK_ACCOUNT_NUMBER"),
    "UK_PASSPORT": ("UK_PASSPORT", "PASSPORT"),
    "UK_DRIVING_LICENCE": ("UK_DRIVING_LICENCE", "DRIVER_LICENSE"),
    "UK_POSTCODE": ("POSTAL_CODE",),
    "UK_VEHICLE_REGISTRATION": ("LICENSE_PLATE",),
    "DE_PASSPORT": ("DE_PASSPORT", "PASSPORT"),
    "DE_FUEHRERSCHEIN": ("DE_DRIVER_LICENSE", "DRIVER_LICENSE"),
    "DE_VAT_ID": ("EU_VAT_NUMBER",),
    "DE_PLZ": ("POSTAL_CODE",),
    "DE_KFZ": ("LICENSE_PLATE",),
    "ES_PASSPORT": ("ES_PASSPORT", "PASSPORT"),
    "IN_PASSPORT": ("IN_PASSPORT", "PASSPORT"),
    "IN_VEHICLE_REGISTRATION": ("LICENSE_PLATE",),
    "IT_PASSPORT": ("IT_PASSPORT", "PASSPORT"),
    "IT_DRIVER_LICENSE": ("IT_DRIVER_LICENSE", "DRIVER_LICENSE"),
    "KR_PASSPORT": ("KR_PASSPORT", "PASSPORT"),
    "KR_DRIVER_LICENSE": ("KR_DRIVER_LICENSE", "DRIVER_LICENSE"),
    "NG_VEHICLE_REGISTRATION": ("LICENSE_PLATE",),
    "TR_LICENSE_PLATE": ("LICENSE_PLATE",),
    "ZA_LICENSE_PLATE": ("LICENSE_PLATE",),
    "ZA_DRIVER_LICENSE": ("DRIVER_LICENSE",),
    "ZA_MOBILE_NUMBER": ("PHONE_NUMBER",),
    "ZA_TELEPHONE_NUMBER": ("PHONE_NUMBER",),
    "CA_POSTAL_CODE": ("POSTAL_CODE",),
    "US_PROVIDER_TAX_ID": ("US_EIN",),
}
# Our names, where a client names no entities: the document of no country goes by the name that Presidio has for it.
THEIRS: Mapping[str, str] = {
    "PASSPORT": "US_PASSPORT",
    "DRIVER_LICENSE": "US_DRIVER_LICENSE",
    "BANK_ACCOUNT_NUMBER": "US_BANK_NUMBER",
    "DE_DRIVER_LICENSE": "DE_FUEHRERSCHEIN",
}
# What Presidio finds, most of it with a language model, and Vestibule does not. Only these names are ever repeated.
NOT_SERVED = frozenset(
    {
        *("PERSON", "LOCATION", "NRP", "ORGANIZATION", "DATE_TIME", "AGE", "ID", "TITLE", "URL", "UUID", "DOMAIN_NAME"),
        *("GPE", "ORG", "DE_HANDELSREGISTER", "PH_UMID", "US_CLAIM_NUMBER", "US_HEALTH_INSURANCE_MEMBER_ID"),
        *("US_PRESCRIPTION_NUMBER", "US_PRIOR_AUTHORIZATION_NUMBER", "US_REFERRAL_NUMBER", "ZA_COMPANY_REGISTRATION"),
        *("ZA_INCOME_TAX_NUMBER", "ZA_TRAFFIC_REGISTER_NUMBER", "ZA_VAT_NUMBER"),
        *("MEDICAL_BIOLOGICAL_ATTRIBUTE", "MEDICAL_BIOLOGICAL_STRUCTURE", "MEDICAL_CLINICAL_EVENT"),
        *("MEDICAL_DISEASE_DISORDER", "MEDICAL_FAMILY_HISTORY", "MEDICAL_HISTORY", "MEDICAL_MEDICATION"),
        "MEDICAL_THERAPEUTIC_PROCEDURE",
    }
)


@dataclass(frozen=True, slots=True)
class AskedEntities:
    """What a client asks for: our entities, each with the name that it is answered under, and what is not served.

    Of names that are not served, `unserved` has those of Presidio, and `unknown` is the number of the others.
    """

    names: Mapping[str, str]
    unserved: tuple[str, ...] = ()
    unknown: int = 0


def asked_entities(asked: Sequence[str], known: Collection[str], ad_hoc: Collection[str] = ()) -> AskedEntities:
    """Return what of `known`, our entities, a client asks for; nothing asked is all.

    What it brings `ad_hoc` recognizers for is served too.
    """
    if not asked:
        return AskedEntities({ours: THEIRS.get(ours, ours) for ours in known})
    names: dict[str, str] = {}
    unserved: dict[str, None] = {}
    unknown = 0
    # The same name on both sides counts before a name that is only close.
    exact = {name: name for name in asked if name in known}
    for name in dict.fromkeys(asked):
        served = [ours for ours in OURS.get(name, (name,)) if ours in known]
        for ours in served:
            names.setdefault(ours, name)
        if served or name in ad_hoc:
            continue
        if name in NOT_SERVED:
            unserved[name] = None
        else:
            unknown += 1
    return AskedEntities({**names, **exact}, tuple(sorted(unserved)), unknown)


def supported_names(known: Collection[str]) -> list[str]:
    """Return every name that a client can ask for: Presidio's, and ours that Presidio does not have."""
    theirs = {name for name, ours in OURS.items() if any(one in known for one in ours)}
    return sorted(theirs | {THEIRS.get(one, one) for one in known})

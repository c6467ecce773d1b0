"""Swedish sentences for official rules that no own rule reports. Pages show them with the rule's id."""

import re

from billing.documents.official import UBL_XSD

_SENTENCES = {
    UBL_XSD: "Fakturan följer inte filformatet UBL 2.1.",
    "BR-02": "Fakturanumret saknas.",
    "BR-06": "Säljarens namn saknas.",
    "BR-07": "Köparens namn saknas.",
    "BR-08": "Säljarens adress saknas.",
    "BR-09": "Landskoden i säljarens adress saknas.",
    "BR-10": "Köparens adress saknas.",
    "BR-11": "Landskoden i köparens adress saknas.",
    "BR-16": "Fakturan har inga rader.",
    "BR-62": "Typ saknas för säljarens elektroniska adress.",
    "BR-63": "Typ saknas för köparens elektroniska adress.",
    "BR-CL-10": "Okänd typ av identitet för säljaren eller köparen.",
    "BR-CL-11": "Okänd typ av organisationsnummer för säljaren eller köparen.",
}
_FAMILIES = (
    (r"BR-CL-", "En kod finns inte i den officiella kodlistan."),
    (r"BR-CO-", "Fakturans summor eller uppgifter stämmer inte med varandra."),
    (r"BR-DEC-", "Ett belopp har fler än två decimaler."),
    (r"BR-[A-Z]+-", "Momsuppgifterna stämmer inte."),
    (r"BR-", "En uppgift som måste finnas saknas eller är fel."),
    (r"UBL-", "Fakturan har en uppgift som inte får finnas, eller som har fel form."),
)
_ANY = "Fakturan bryter mot den europeiska standarden för e-faktura."


def sentence(rule: str) -> str:
    """Returns the Swedish sentence of an official rule, or of its family if the rule has none of its own."""
    for pattern, text in _FAMILIES:
        if rule not in _SENTENCES and re.match(pattern, rule):
            return text
    return _SENTENCES.get(rule, _ANY)

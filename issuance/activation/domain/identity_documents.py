"""The ways to identify a holder, what each leads to, and what the clerk checks (rules/issuance 5.2).

One table: the page of identification shows it as choices and a checklist, the services enforce its levels, and
`manage.py issuance_identity_documents` prints it for the rules.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext_noop as _

from issuance.orders.domain.rules import LOA2, LOA3


@dataclass(frozen=True)
class Identifying:
    """A way to identify a holder: a document, or an attestation.

    `label` is its name on pages and `hint` what it must be. `level` is the highest assurance level that it leads to. `carriers`
    are the codes of the kinds of carriers that it is enough for; empty means all. `checks` are what the clerk looks at besides
    `COMMON_CHECKS`.
    """

    label: str
    hint: str
    level: int
    carriers: frozenset[str] = frozenset()
    checks: tuple[str, ...] = ()

    def is_enough(self, carrier_kind: str, assurance_level: int) -> bool:
        """Returns whether it identifies the holder of a carrier of this kind and level."""
        return assurance_level <= self.level and (not self.carriers or carrier_kind in self.carriers)


COMMON_CHECKS = (
    _("Stämmer ansikte, ålder och längd?"),
    _("Gäller handlingen i dag?"),
    _("Är den hel, ren och utan skarvar och lösa skikt?"),
    _("Känns tryck och kanter rätt?"),
    _("Stämmer namn och person-id med portalens uppgifter?"),
)
"""What the clerk checks of every document."""

ATTESTATION = "attestation"
"""The code of an attestation by another person, which is no document."""

_FOREIGN_CHECKS = (
    _("Är handlingen utfärdad av en myndighet i landet?"),
    _("Jämför den med bilder av sådana handlingar, till exempel i EU:s register PRADO."),
)

DOCUMENTS: Mapping[str, Identifying] = {
    "driving_licence": Identifying(_("Körkort"), _("Svenskt"), LOA3),
    "passport": Identifying(_("Pass (vinröd bok)"), _("Svenskt. Provisoriskt pass godtas inte"), LOA3),
    "tax_agency_id": Identifying(_("Skatteverkets id-kort"), "", LOA3),
    "sis_id": Identifying(_("SIS-godkänt id-kort"), _("Med SIS-märke"), LOA3),
    "national_id": Identifying(_("Nationellt id-kort"), _("Svenskt"), LOA3),
    "foreign_passport": Identifying(_("Utländskt pass"), "", LOA2, checks=_FOREIGN_CHECKS),
    "foreign_id_card": Identifying(_("Utländskt nationellt id-kort"), "", LOA2, checks=_FOREIGN_CHECKS),
    ATTESTATION: Identifying(
        _("Intyg av annan person"),
        _("Bara när innehavaren saknar godkänd handling, inte när den är glömd hemma"),
        LOA2,
        carriers=frozenset({"reserve_card"}),
        checks=(
            _("Är den som intygar själv på plats, med en egen giltig svensk id-handling?"),
            _("Vet den som intygar att ett falskt intyg är ett brott?"),
            _("Är intyget skrivet och arkiverat?"),
        ),
    ),
}
"""Every way to identify a holder, by its code, in the order of the page."""

IDENTITY_DOCUMENT: Mapping[str, str] = {code: way.label for code, way in DOCUMENTS.items()}
"""The label of each way."""

FULL = tuple(code for code, way in DOCUMENTS.items() if way.level == LOA3)
"""The full (fullgoda) documents: Swedish, and enough for level 3."""


GENUINE, FALSE = "genuine", "false"
JUDGEMENT: Mapping[str, str] = {GENUINE: _("Inte falsk"), FALSE: _("Falsk")}
"""What a responsible issuer finds about a suspected document."""


def offered(carrier_kind: str, assurance_level: int) -> list[str]:
    """Returns the codes of the ways that are enough for a carrier of this kind and level."""
    return [code for code, way in DOCUMENTS.items() if way.is_enough(carrier_kind, assurance_level)]


class Relation(StrEnum):
    """The attestor's relation to the holder."""

    EMPLOYER = "employer"
    SUPERIOR = "superior"
    GUARDIAN = "guardian"


RELATION: Mapping[str, str] = {
    Relation.EMPLOYER: _("Arbetsgivare"),
    Relation.SUPERIOR: _("Chef"),
    Relation.GUARDIAN: _("Vårdnadshavare"),
}
OF_AGE = 18
"""The completed years from which a person attests for others, and below which a guardian attests for them."""


def relations(age: int | None) -> tuple[Relation, ...]:
    """Returns who may attest for a holder of this age: the guardian for a minor, else the employer or a superior."""
    is_minor = age is not None and age < OF_AGE
    return (Relation.GUARDIAN,) if is_minor else (Relation.EMPLOYER, Relation.SUPERIOR)


def described() -> Iterator[str]:
    """Yields the table as lines of Markdown."""
    yield "| page | code | highest level | for | what it must be, and further checks |"
    yield "|---|---|---|---|---|"
    for code, way in DOCUMENTS.items():
        carriers = ", ".join(f"`{kind}`" for kind in sorted(way.carriers)) or "all carriers"
        sentences = [text.removesuffix(".") for text in (way.hint, *way.checks) if text]
        text = " ".join(each if each.endswith("?") else f"{each}." for each in sentences)
        yield f"| {way.label} | `{code}` | {way.level} | {carriers} | {text or '–'} |"

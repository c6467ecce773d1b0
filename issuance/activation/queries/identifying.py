"""How the holder of a card can be identified, for the page that asks (rules/issuance 5.2)."""

from dataclasses import dataclass

from issuance.activation.domain.identity_documents import ATTESTATION, COMMON_CHECKS, DOCUMENTS, Relation, offered, relations
from issuance.carriers.models import Carrier
from issuance.people.services import people
from siths_portal.lib import clock


@dataclass(frozen=True)
class Check:
    """What the clerk checks of one way to identify a holder, besides the checks of all. `is_enough` means that it is enough for
    the card.
    """

    label: str
    hint: str
    checks: tuple[str, ...]
    level: int
    is_enough: bool


@dataclass(frozen=True)
class Ways:
    """The codes of the ways that are enough for the card, and who may attest for its holder."""

    documents: tuple[str, ...]
    relations: tuple[Relation, ...]

    @property
    def common(self) -> tuple[str, ...]:
        """Returns what the clerk checks of every document."""
        return COMMON_CHECKS

    @property
    def others(self) -> tuple[Check, ...]:
        """Returns the ways that are not enough for the card, or need checks of their own."""
        rows = [(code in self.documents, way) for code, way in DOCUMENTS.items()]
        return tuple(
            Check(way.label, way.hint, way.checks, way.level, is_enough) for is_enough, way in rows if way.checks or not is_enough
        )


def ways(carrier: Carrier) -> Ways:
    """Returns how the carrier's holder can be identified. Reads the holder's age only where it matters."""
    documents = tuple(offered(carrier.kind, carrier.assurance_level))
    attesting: tuple[Relation, ...] = ()
    if ATTESTATION in documents:
        attesting = relations(people.person_id_of(carrier.holder_id).age_on(clock.today()))
    return Ways(documents, attesting)

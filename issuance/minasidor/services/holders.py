"""Maps log-ins on Mina sidor to holders and to reserve cards (port `authn.ports.SubjectDirectory`)."""

from collections.abc import Sequence

from django.utils.translation import gettext as _

from authn.ports import Advice, Credential, Subject, SubjectUnknown
from issuance.authz.actor import CARD_PREFIX, HOLDER_PREFIX
from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import INVALID
from issuance.carriers.domain.references import carrier_ref
from issuance.carriers.models import Carrier
from issuance.minasidor.domain import Means, means_of
from issuance.people.models.persons import PersonIdentifier
from issuance.roles.services.subjects import NUMBERS


class Holders:
    """Finds holders by their number in the mirror of the HSA directory, and reserve cards by theirs. Neither role nor
    assignment is needed.
    """

    def find(self, hsa_id: str, person_id: str, credential: Credential) -> Subject:
        """Returns the holder with this number of twelve digits; `hsa_id` is ignored.

        Raises SubjectUnknown: `person-unknown`, also for a deceased person; `card-mismatch` if the card of the log-in is another
        person's; `card-ended` if it is revoked or has expired.
        """
        identifiers = PersonIdentifier.objects.filter(kind__in=NUMBERS, value=person_id, valid_to=None)
        number = identifiers.select_related("person").filter(person__deceased=False).first()
        if number is None:
            raise SubjectUnknown("person-unknown", self.no_post())
        person, carrier = number.person, _card(credential.card_serial)
        if carrier is not None and carrier.person_id != person.pk:
            raise SubjectUnknown("card-mismatch")
        if carrier is not None and carrier.state in INVALID:
            raise SubjectUnknown("card-ended", _ended())
        means = means_of(credential.level, carrier.kind if carrier else "")
        name, used = f"{person.given_name_in_use} {person.surname}", carrier_ref(carrier.pk) if carrier else ""
        return Subject(f"{HOLDER_PREFIX}{person.pk}", "", name, "", means.value, used)

    def card(self, serial: str) -> Subject:
        """Returns the subject of a reserve card, without a name.

        Raises SubjectUnknown: `card-unknown`, also for a card of another kind, which has no transport certificate; `card-ended`.
        """
        carrier = _card(serial)
        if carrier is None or carrier.kind != kinds.RESERVE_CARD.code:
            raise SubjectUnknown("card-unknown")
        if carrier.state in INVALID:
            raise SubjectUnknown("card-ended", _ended())
        return Subject(f"{CARD_PREFIX}{carrier.pk}", "", "", "", Means.CARD.value)

    def no_post(self) -> Advice:
        """Returns the message to a person whom the portal does not know."""
        message = _("Det finns inget SITHS eID på ditt personnummer. Kontakta en ID-administratör om du ska ha ett.")
        return Advice(_("Du har inget SITHS eID"), message)

    def choices(self, hsa_ids: Sequence[str], person_id: str) -> list[Subject]:
        """Returns nothing: a log-in on Mina sidor chooses no assignment."""
        return []


def _card(serial: str) -> Carrier | None:
    """Returns the card with this serial number, or None. A card that another portal issued is not here."""
    cards = Carrier.objects.only("id", "kind", "state", "person_id")
    return cards.filter(card_serial=serial).first() if serial else None


def _ended() -> Advice:
    message = _("Kortet är spärrat eller har gått ut. Kontakta en ID-administratör, som hjälper dig till ett nytt kort.")
    return Advice(_("Kortet gäller inte längre"), message)

"""The parts of the person's page, as its template and the pages of activation read them."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from django.urls import reverse

from issuance.activation.queries.card_help import CardHelp
from issuance.person_page.queries.carrier_words import Face
from issuance.person_page.queries.person_functions import Function, Group
from issuance.records.domain.ids import age_on
from issuance.revocation.queries.held_revocations import HeldNotice
from siths_portal.lib import clock


@dataclass(frozen=True)
class PersonHead:
    """The person of the page. `register_read_at` is when name and flags were read from the person register."""

    id: UUID
    given_name_in_use: str
    given_names: str
    surname: str
    person_id: str
    person_id_kind: str
    is_protected: bool
    protection: tuple[str, ...]
    deceased: bool
    register_read_at: dt.datetime | None
    has_photo: bool
    photo_taken: dt.date | None

    @property
    def name(self) -> str:
        """Returns the name in use and the surname."""
        return f"{self.given_name_in_use or self.given_names} {self.surname}"

    @property
    def photo_years(self) -> int:
        """Returns how many whole years old the stored photo is, 0 without one."""
        return age_on(self.photo_taken, clock.today()) if self.photo_taken else 0

    @property
    def full_name(self) -> str:
        """Returns all names, or an empty text if `name` has them all."""
        return f"{self.given_names} {self.surname}" if self.given_name_in_use not in ("", self.given_names) else ""


@dataclass(frozen=True)
class CertificateLink:
    """A certificate that the page links to."""

    id: UUID
    use: str


@dataclass(frozen=True)
class EidView:
    """A SITHS eID on a carrier. `valid_to` is its last day; `expires_in` is the days until then if it ends soon.
    `is_unusual` means that its state does not follow from the carrier's.
    """

    id: UUID
    organisation: str
    state: str
    is_unusual: bool
    hsa_id: str
    upn: str
    mail: str
    title: str
    valid_from: dt.date | None
    valid_to: dt.date | None
    expires_in: int | None
    assurance_level: int
    has_signature_certificate: bool
    revocation_reason: str
    ended_at: dt.datetime | None
    certificates: tuple[CertificateLink, ...]
    functions: tuple[Function, ...]


class Fate(StrEnum):
    """What became of a card that an order asked for, if not the usual: it failed or came back; it was spoilt or came back and is
    made again; or it is the one made in the place of such a card.
    """

    FAILED = "failed"
    RETURNED = "returned"
    MADE_AGAIN = "made_again"
    SECOND = "second"


@dataclass(frozen=True)
class OrderView:
    """The state of a card's order at the supplier. `id` is the Beställnings-id. `puk_text` is empty until the card is produced;
    `puk_refused` is the reason why the PUK was refused, which makes the card unusable. `replaced` is the card that the order
    replaces. `fate` is what became of this card of the order (`Fate`). `arrives` is the day around which the card arrives, in
    words, and `is_late` means that this day has passed; it is empty for a card that is sent, and for a protected person.
    """

    id: UUID
    state: str
    state_text: str
    office: str
    ordered_at: dt.datetime
    sent_on: dt.date | None
    registered_mail_id: str
    puk_text: str
    puk_refused: str
    replaced: UUID | None
    fate: str
    arrives: str
    is_late: bool


@dataclass(frozen=True)
class LetterView:
    """An ordered letter with the carrier's PUK. `id` is the Beställnings-id; `registered_mail_id` is empty for ordinary mail."""

    id: UUID
    state: str
    state_text: str
    ordered_at: dt.datetime
    sent_on: dt.date | None
    registered_mail_id: str


@dataclass(frozen=True)
class CarrierView:
    """A carrier with its order, certificates and eIDs.

    A carrier that is no card (`is_card`) has no `article`, and the name of its `device`.
    `name` names it for the eye, as "Kort i bruk"; `last` are the last four digits of its serial. `worst_eid` is the state of an
    ended eID on a carrier in use.

    `read_only` means that the actor sees it only through an eID. `other_eids` counts valid eIDs on it that the actor does not
    see; `has_eid` is False if no eID on it is ordered or valid. `held` means that its certificates are on hold until the holder
    has chosen the code. `activate_by` and `sign_by` are the last days before the system revokes it, `activation_days` and
    `signing_days` the days left. `expires_in` is the days until it ends. `help` holds what the eID app last reported about a
    card under activation. `waiting_revocations` wait for a second officer; `may_decide_revocations` means that the actor may
    open the page for that.
    """

    id: UUID
    code: str
    name: str
    last: str
    face: Face
    type: str
    kind: str
    organisation: str
    state: str
    is_new: bool
    worst_eid: str
    valid_to: dt.date | None
    expires_in: int | None
    assurance_level: int
    serial: str
    article: str
    article_name: str
    device: str
    is_card: bool
    mifare_id: str
    held: bool
    activate_by: dt.date | None
    activation_days: int | None
    sign_by: dt.date | None
    code_blocked: bool
    help: CardHelp | None
    signing_days: int | None
    revocation_reason: str
    ended_at: dt.datetime | None
    activated_at: dt.datetime | None
    read_only: bool
    other_eids: int
    has_eid: bool
    waiting_revocations: tuple[HeldNotice, ...]
    may_decide_revocations: bool
    order: OrderView | None
    certificates: tuple[CertificateLink, ...]
    eids: tuple[EidView, ...]
    functions: tuple[Function, ...]
    letters: tuple[LetterView, ...] = ()

    @property
    def serial_start(self) -> str:
        """Returns the serial number without its last four digits."""
        return self.serial.removesuffix(self.last)

    @property
    def offered(self) -> list[Function]:
        """Returns the functions that are on."""
        return [each for each in self.functions if each.allowed]

    @property
    def acts(self) -> list[Function]:
        """Returns the functions that are on and do something with the carrier."""
        return [each for each in self.offered if each.group is not Group.LOOK]

    @property
    def looks(self) -> list[Function]:
        """Returns the functions that are on and only show something, which the page has among all its details."""
        return [each for each in self.offered if each.group is Group.LOOK]

    @property
    def refused(self) -> list[Function]:
        """Returns the functions that are off, with their reasons."""
        return [each for each in self.functions if not each.allowed]


@dataclass(frozen=True)
class DraftView:
    """Påbörjad beställning: a card order that the actor has started."""

    id: UUID
    organisation: str
    article: str
    updated_at: dt.datetime

    @property
    def url(self) -> str:
        """Returns the URL at which the order goes on."""
        return reverse("order", args=[self.id])


@dataclass(frozen=True)
class EidOrderView:
    """An ordered eID on a carrier that the holder has not fetched. `fetch_by` is the last day to do so."""

    id: UUID
    carrier_id: UUID
    name: str
    state: str
    organisation: str
    hsa_id: str
    upn: str
    mail: str
    assurance_level: int
    carrier: str
    ordered_at: dt.datetime
    fetch_by: dt.date | None
    functions: tuple[Function, ...]


@dataclass(frozen=True)
class UndeliveredView:
    """The person's newest carrier, which ended because the supplier could not make it or got it back. `last` may be empty.
    `remake` has the same order make it again; None if that cannot be, or not by the actor.
    """

    state: str
    last: str
    ended_on: dt.date | None
    remake: Function | None


@dataclass(frozen=True)
class PersonView:
    """Everything on the person's page. `organisations` are those of the assignments that the actor sees. `invalid_count` counts
    the invalid carriers; `carriers` includes them if requested.
    """

    head: PersonHead
    organisations: tuple[str, ...]
    undelivered: UndeliveredView | None
    carriers: tuple[CarrierView, ...]
    drafts: tuple[DraftView, ...]
    eid_orders: tuple[EidOrderView, ...]
    functions: tuple[Function, ...]
    invalid_count: int
    shows_invalid: bool

    @property
    def fetching(self) -> set[UUID]:
        """Returns the carriers on which the holder has an eID to fetch."""
        return {order.carrier_id for order in self.eid_orders}

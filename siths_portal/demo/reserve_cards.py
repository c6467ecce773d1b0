"""The demo's reserve cards: a bundle from its order to a card that two officers hand out and its holder activates."""

import shutil
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings

from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.models import Carrier
from issuance.orders.models.orders import CardOrder
from issuance.organisations.models import Organisation
from siths_portal.demo import holder, ordering, own_cards
from siths_portal.demo.artefacts import Artefacts
from siths_portal.demo.browsing import Browser
from siths_portal.demo.card_line import CardLine, LineFault, run_supplier
from siths_portal.demo.clerk import Clerk
from siths_portal.demo.ordering import Case, PersonOnPage
from siths_portal.demo.own_cards import OwnCard
from siths_portal.demo.reserve_articles import ARTICLE, PLACE
from siths_portal.simulators.card import Card

QUANTITY = 6
"""One card is handed out. The others stay in stock for visitors who try it by hand."""


@dataclass
class Officer:
    """An officer at the portal's pages, with a card of their own and its code."""

    person: PersonOnPage
    clerk: Clerk
    serial: str = ""
    code: str = field(default_factory=holder.new_code, repr=False)

    def sign(self) -> None:
        """Signs in the eID app what the present page shows, and loads the page again."""
        holder.sign(self.clerk.handle("Öppna SITHS eID-appen"), self.serial, self.code)
        self.clerk.page = self.clerk.page.again()


@dataclass
class ReserveCards:
    """The steps of a bundle of reserve cards and their results."""

    artefacts: Artefacts
    order_id: UUID | None = None
    code: str = field(default_factory=holder.new_code, repr=False)
    envelope: str = field(default="", repr=False)
    officers: list[Officer] = field(default_factory=list)
    found: PersonOnPage | None = None

    @property
    def order(self) -> CardOrder:
        """The bundle's order. Raises LineFault before `order_bundle`."""
        if self.order_id is None:
            raise LineFault("no bundle was ordered")
        return CardOrder.objects.get(pk=self.order_id)

    @property
    def person(self) -> PersonOnPage:
        """The holder of the reserve card. Raises LineFault before `give_officers_cards`."""
        if self.found is None:
            raise LineFault("no person was found to hand out a card to")
        return self.found

    @property
    def cards(self) -> list[Carrier]:
        """The cards of the bundle."""
        return list(Carrier.objects.filter(item__order=self.order).order_by("item__number"))

    @property
    def secrets(self) -> list[str]:
        """The codes of the officers' cards, of the envelope, and the one that the holder has chosen."""
        return [self.code, self.envelope, *(officer.code for officer in self.officers)]

    def order_bundle(self) -> None:
        """The responsible issuer orders the bundle."""
        organisation = Organisation.objects.get(hsa_id=PLACE)
        issuer, clerk = ordering.issuer_of(organisation), Clerk()
        clerk.log_in(issuer.name, issuer.hsa_id)
        clerk.order_bundle(organisation.pk, QUANTITY)
        clerk.log_out()
        self.order_id = CardOrder.objects.filter(organisation=organisation, article=ARTICLE).latest("ordered_at").pk

    def supply(self) -> None:
        """The supplier makes blank cards, each in an envelope with a code, and sends them to the office."""
        run_supplier(str(self.order.pk))

    def give_officers_cards(self) -> None:
        """Two officers log in, and give each other a card on level 3 to sign with, unless they have one of an earlier walk."""
        organisation = Organisation.objects.get(hsa_id=PLACE)
        self.found = ordering.employee_of(organisation)
        self.officers = [_logged_in(person) for person in ordering.officers_of(organisation)[:2]]
        office = ordering.office_of(organisation)
        for own, colleague in (self.officers, self.officers[::-1]):
            if own.serial:
                continue
            line = CardLine(self.artefacts, ordering.ARTICLE, "", clerk=colleague.clerk, code=own.code)
            line.found = Case(colleague.person, own.person, office)
            line.order()
            line.supply()
            line.activate()
            own.serial = line.serial
            own_cards.keep(own.person.person_id, OwnCard(own.serial, own.code))
        self.artefacts.summary["officer_card_serials"] = [officer.serial for officer in self.officers]

    def log_out_officers(self) -> None:
        """Both officers log out. Their cards stay valid."""
        for officer in self.officers:
            officer.clerk.log_out()

    def guide(self) -> list[str]:
        """Returns the lines of the guide about the officers and their cards."""
        place = Organisation.objects.get(hsa_id=PLACE).name
        return [
            f"Två ID-administratörer i {place} har egna kort. Bara så kan båda skriva under ett reservkort på tillitsnivå 3.",
            "Välj dem i inloggningen och i SITHS eID-appen, och skriv koden:",
            "",
            *(f"  {each.person.name}, kortet som slutar på {each.serial[-4:]}, kod {each.code}" for each in self.officers),
            "",
            f"Reservkort i lager i {place}, vart och ett i ett kuvert med en kod, som innehavaren skriver i appen:",
            "",
            *(f"  {card.card_serial}, koden i kuvertet {_envelope_code(card.card_serial)}" for card in self.cards[1:]),
        ]

    def receive(self) -> None:
        """An officer receives the bundle to the stock of the office."""
        self.officers[0].clerk.receive_bundle(QUANTITY)

    def hand_out(self) -> None:
        """The first officer identifies the holder and signs; the second one checks all of it and signs."""
        first, second = self.officers
        serial = self.cards[0].card_serial
        first.clerk.find(self.person.written)
        first.clerk.hand_out(serial, ("Tillitsnivå 3", self.person.hsa_id, "Pass (vinröd bok)"))
        first.sign()
        second.clerk.approve_reserve_card(serial, identity_document="Körkort")
        second.sign()
        if self.cards[0].state != CarrierState.RESERVED:
            raise LineFault(f"the reserve card is not bound: it is {self.cards[0].state}")

    def activate(self) -> None:
        """The holder types the envelope's code, gets certificates for the card's new keys, and signs the receipt."""
        clerk, serial = self.officers[0].clerk, self.cards[0].card_serial
        clerk.find(self.person.written)
        clerk.begin_activation("Körkort")
        self.envelope = _envelope_code(serial)
        holder.activate_reserve_card(clerk.handle(), serial, self.envelope, self.code)
        clerk.finish_activation()
        if self.cards[0].state != CarrierState.ACTIVE:
            raise LineFault(f"the reserve card is not active: it is {self.cards[0].state}")

    def log_in(self) -> None:
        """The holder logs in on Mina sidor with the card and the chosen code, as a person. Raises PageFault."""
        page = Browser().open(settings.MINASIDOR_BASE_URL).press("Logga in")
        page = page.form("Fortsätt med kort").choose(f"slutar på {self.cards[0].card_serial[-4:]}").send()
        page = page.form("Legitimera").fill("Ange pinkod", self.code).send()
        if not page.heading.startswith("Hej "):
            raise page.fault("the reserve card does not log its holder in")
        page.press("Logga ut")


def _logged_in(person: PersonOnPage) -> Officer:
    """Returns the officer, logged in with the card of an earlier walk, or as a test person without a card."""
    card = own_cards.kept(person.person_id)
    if card is None:
        _destroy_cards(person)  # of an earlier run that failed, or revoked since
        officer = Officer(person, Clerk())
        officer.clerk.log_in(person.name, person.hsa_id)
        return officer
    officer = Officer(person, Clerk(), card.serial, card.code)
    officer.clerk.log_in_with_card(card.serial, card.code, person.hsa_id)
    return officer


def _envelope_code(serial: str) -> str:
    return Card(own_cards.folder(serial)).envelope_code


def _destroy_cards(person: PersonOnPage) -> None:
    """Takes the cards that the demo's supplier made for the person out of the simulators' reader."""
    for serial in (
        Carrier.objects.filter(person=person.person_id).exclude(card_key_sha256="").values_list("card_serial", flat=True)
    ):
        shutil.rmtree(own_cards.folder(serial), ignore_errors=True)

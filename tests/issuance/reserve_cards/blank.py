"""Blank reserve cards in stock, with keys in memory, for tests of handing them out. Needs the fixtures `demo_pki` and `world`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from issuance.activation.models import CertificateRequest, EidAppTransaction, Statement
from issuance.activation.services import activation, activation_app, card_requests, certifying
from issuance.activation.services.certifying import Certified
from issuance.activation.services.visits import Opened
from issuance.authz import Actor, Role
from issuance.carriers.models import Carrier
from issuance.orders.models.orders import CardOrder
from issuance.people.models.persons import Post
from issuance.reserve_cards.models import ReserveCardIssue
from issuance.reserve_cards.services import approving, handing_out
from issuance.reserve_cards.services.handing_out import HandedOut, HandOut
from issuance.stock.services import receiving
from issuance.suppliers.domain import Produced, Sent
from issuance.suppliers.services import card_certificates, supplier_events, supplier_intake
from pki import service as pki
from pki.issuing import signing
from pki.issuing.certifying import certify as certify_in_the_worker
from siths_portal.lib import clock
from siths_portal.simulators.card import TRANSPORT, Card, new_serial
from tests.database_roles import acting_as
from tests.issuance.activated import PUK, App, Made, Plastic, activated_card, card_of, copied, pem, plain
from tests.issuance.orders.bundles import bundle, prepare
from tests.issuance.world import SUPPLIER, World

PROFILES = ("person-hsaid-auth", "person-hsaid-sign")


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _csr(key: Any) -> bytes:
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.DER)


@dataclass
class Blank:
    """The keys of a reserve card: the card key, and those that its app makes at the activation."""

    serial: str = field(default_factory=new_serial)
    card_key: ec.EllipticCurvePrivateKey = field(default_factory=_key)
    keys: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=lambda: {profile: _key() for profile in PROFILES})

    def key_spki(self) -> bytes:
        """The card key's public half, DER."""
        return self.card_key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def csrs(self) -> dict[str, bytes]:
        """Requests for the keys that were made on the card, DER."""
        return {profile: _csr(key) for profile, key in self.keys.items()}

    def transport_csr(self) -> bytes:
        """The request for the certificate of a blank card, DER."""
        return _csr(_key())

    def store(self, certificates: dict[str, bytes]) -> None:
        """Keeps nothing: no test asks the card for its certificates."""

    def prove(self, data: bytes) -> bytes:
        """The card key's signature."""
        return self.card_key.sign(data, ec.ECDSA(hashes.SHA256()))

    def sign(self, data: bytes, profile: str = "person-hsaid-sign") -> bytes:
        """The holder's signature."""
        return self.keys[profile].sign(data, ec.ECDSA(hashes.SHA256()))

    @property
    def carrier(self) -> Carrier:
        """The carrier as it stands now."""
        return Carrier.objects.get(card_serial=self.serial)


@dataclass
class Envelope:
    """The same as a software card, with the code of its envelope. `code` is the card's code as it is now."""

    card: Card
    code: str

    @classmethod
    def make(cls, cards: Path, code: str) -> "Envelope":
        """A blank card in the reader."""
        return cls(Card.make(cards, new_serial(), puk=PUK, transport_code=code, profiles=[TRANSPORT]), code)

    @property
    def serial(self) -> str:
        """The 19 digits."""
        return self.card.serial

    def key_spki(self) -> bytes:
        """The card key's public half, DER."""
        return Plastic(self.card).key_spki()

    def transport_csr(self) -> bytes:
        """The request for the certificate of a blank card, DER."""
        request = x509.load_pem_x509_csr(self.card.csrs(code=self.code, profiles=[TRANSPORT])[TRANSPORT].encode())
        return request.public_bytes(serialization.Encoding.DER)

    def store(self, certificates: dict[str, bytes]) -> None:
        """Writes the certificates on the card."""
        self.card.store_certificates({profile: pem(der) for profile, der in certificates.items()}, code=self.code)


def supply(order: CardOrder, made: Sequence[Blank] | Sequence[Envelope]) -> None:
    """The supplier's part of a bundle."""
    supplier_intake.accept(client_ref=SUPPLIER, order_id=order.id)
    for number, blank in enumerate(made, 1):
        ids = card_certificates.request_certificates(
            client_ref=SUPPLIER, order_id=order.id, item=number, card_serial=blank.serial, card_key_spki=blank.key_spki(),
            csrs={TRANSPORT: blank.transport_csr()},
        )  # fmt: skip
        signing.sign_reserved(ids)
        blank.store({view.profile: view.der or b"" for view in pki.wait_until_settled(ids, seconds=60)})
        for event in (Produced(str(number), no_puk=True), Sent(clock.today())):
            supplier_events.register_event(client_ref=SUPPLIER, order_id=order.id, item=number, event=event)


def in_stock(world: World, quantity: int = 1) -> list[Blank]:
    """Reserve cards that a supplier made and the region's office received."""
    order, made = bundle(world.region, world.office, quantity), [Blank() for _ in range(quantity)]
    supply(order, made)
    receiving.receive_bundle(actor=world.officer(), order_id=order.pk)
    return made


def stocked(world: World, quantity: int = 1) -> list[Blank]:
    """The same, where bundles cannot be ordered yet."""
    prepare(world.region, world.office)
    return in_stock(world, quantity)


def hand_out(blank: Blank, post: Post, actor: Actor, *, level: int = 2, document: str = "", last_day: Any = None) -> HandedOut:
    """An officer hands out a card, until the last day that the settings allow."""
    wanted = HandOut(
        post_id=post.pk,
        card_serial=blank.serial,
        assurance_level=level,
        last_day=last_day or handing_out.proposed_last_day(level),
        identity_document=document or ("passport" if level == 3 else ""),
    )
    return handing_out.hand_out(actor=actor, wanted=wanted)


@dataclass
class Officer:
    """An officer with a card of their own in use."""

    actor: Actor
    made: Made

    def sign(self, opened: Opened) -> Statement:
        """The officer puts their card into the reader and signs what the app shows, to the portal with its own rights."""
        app = App(self.made)
        started = app.start(opened)
        with acting_as("portal"):
            activation_app.complete(step_token=app.token, signature=self.made.keys.sign(started.statement))
        return Statement.objects.get(pk=opened.transaction.pk)


def officer_with_card(world: World, actor: Actor, *, keys: Any = None) -> Officer:
    """Gives an officer a card on level 3, ordered and activated by a colleague of theirs."""
    post = Post.objects.select_related("person", "organisation").filter(person=actor.person_id).first()
    assert post is not None
    return Officer(actor, activated_card(world, post, keys=keys, actor=world.officer(role=Role.RESPONSIBLE_ISSUER)))


_blanks: dict[str, Blank] = {}


def desk_of_two(world: World) -> tuple[Blank, Officer, Officer]:
    """A reserve card in stock, an officer who hands out, and one who may be the second on level 3; copies from the second time.

    Two officers need a card each, so to make all this by the services takes half a second.
    """

    def make() -> dict[str, Any]:
        blank = stocked(world)[0]
        _blanks[blank.serial] = blank
        roles = (Role.ID_ADMINISTRATOR, Role.RESERVE_CARD_ADMIN_LOA3)
        both = [officer_with_card(world, world.officer(role=role)) for role in roles]
        return {"blank": blank.serial, "officers": [(officer.actor, plain(officer.made)) for officer in both]}

    values = copied(world, "desk of two", make)
    first, second = (Officer(actor, card_of(card)) for actor, card in values["officers"])
    return _blanks[values["blank"]], first, second


def proposed(blank: Blank, post: Post, first: Officer) -> ReserveCardIssue:
    """A hand-out on level 3 that the first officer has signed."""
    done = hand_out(blank, post, first.actor, level=3)
    assert done.opened is not None
    first.sign(done.opened)
    return ReserveCardIssue.objects.get(pk=done.issue.pk)


def approved(issue: ReserveCardIssue, second: Officer, *, document: str = "driving_licence") -> ReserveCardIssue:
    """The hand-out when the second officer has checked and signed too."""
    serial = issue.carrier.card_serial
    second.sign(approving.approve(actor=second.actor, issue_id=issue.pk, serial=serial, identity_document=document))
    return ReserveCardIssue.objects.get(pk=issue.pk)


@dataclass
class Activating:
    """The holder's part of the activation of a reserve card."""

    blank: Blank
    opened: Opened
    app: App
    certified: Certified | None = None

    def request(self, *, csrs: dict[str, bytes] | None = None, signature: bytes | None = None) -> Certified | None:
        """Asks for certificates of the card's new keys."""
        row = EidAppTransaction.objects.get(pk=self.opened.transaction.pk)
        csrs = csrs or self.blank.csrs()
        signature = signature or self.blank.prove(card_requests.message(row, csrs))
        return certifying.certify(step_token=self.app.token, csrs=csrs, signature=signature)

    def certify(self) -> Certified:
        """The same, with the `pki` worker's part."""
        csrs = self.blank.csrs()
        if self.request(csrs=csrs) is None:
            work(self.blank)
        found = self.request(csrs=csrs)
        assert found is not None
        self.certified = found
        return found

    def finish(self) -> Carrier:
        """Sets the code and signs the receipt."""
        activation_app.set_code(step_token=self.app.token)
        assert self.certified is not None
        signature = self.blank.sign(self.certified.signed_attributes)
        return activation_app.complete(step_token=self.app.token, signature=signature)


def work(blank: Blank) -> int:
    """The `pki` worker's part for the newest request of a card. Returns how many certificates it issued."""
    request = CertificateRequest.objects.filter(eid__carrier__card_serial=blank.serial).latest("created_at")
    return certify_in_the_worker(request.pk)


def activating(blank: Blank, actor: Actor) -> Activating:
    """An activation whose card is in the app's reader."""
    carrier = blank.carrier
    opened = activation.identify(actor=actor, carrier_id=carrier.pk, identity_document="passport")
    app = App(Made(blank, carrier, None))  # type: ignore[arg-type]
    app.start(opened)
    return Activating(blank, opened, app)

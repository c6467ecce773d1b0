"""A tree of three levels with people, cards, orders and invoices at each place, and a clerk of each role in its middle.

Relations are seen from the clinic, where every clerk of an organisation's role has it. The area's issuer has the whole area, the
global roles have everything. Made once for a module of tests; what a test asks for is rolled back (`undone`).
"""

import contextlib
import datetime as dt
import io
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.db import transaction
from PIL import Image

from authn.models import Session
from billing.customers.models import BillingCustomer
from billing.delivery.services import outbox
from billing.invoices.models import FileFormat, Invoice, InvoiceFile, InvoiceLine, InvoiceState, LineEvent
from billing.ledger.models import LedgerEntry
from billing.prices.models import PriceItem
from billing.records.models import Document as InvoiceDocument
from billing.runs.models import InvoiceRun
from issuance.articles.services.articles import offer_article
from issuance.authz import Actor, Role
from issuance.carriers.models import Carrier, CarrierCertificate, Eid, Receipt
from issuance.customisations.models import CardCustomisation
from issuance.offices.services import connect_office, create_office
from issuance.orders.models.orders import CardOrder
from issuance.organisations.models import Organisation
from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import Person
from issuance.people.models.photos import Photo
from issuance.records.models.events import Document
from issuance.records.models.events import Event as IssuanceEvent
from issuance.roles.models.extended_reach import ExtendedReach
from issuance.roles.models.grants import RoleGrant
from issuance.suppliers.domain import Produced, Sent
from issuance.suppliers.services import card_certificates, supplier_events, supplier_intake
from pki.models import Certificate, CertificateBlob
from siths_portal.lib import clock
from siths_portal.lib.canonical import canonical_json, sha256_hex
from tests.billing.documents.samples import BUYER, SELLER
from tests.issuance import authorities
from tests.issuance.world import SETUP, World, verified_customisation
from tests.portal import session_key

RELATIONS = ("inside", "parent", "child", "beside", "outside", "opened", "protected", "unknown")
"""Where a thing lies, seen from the clerk's clinic: in it, in the region above, in the ward below, in a city of the same area, in
another area, there too but opened by an extended search, in the clinic but of a protected person, or nowhere."""

INVOICED = ("parent", "beside", "outside")
"""Where a party to invoices lies: the region above the clinic, the city beside it, and the other area's."""

SUPPLIER = "bureau"


@dataclass(frozen=True)
class Who:
    """A caller: a role with or without the add-on for protected persons; None for somebody whose role has ended."""

    role: Role | None
    add_on: bool = False

    def __str__(self) -> str:
        return f"{self.role.value if self.role else 'no_role'}{'+sekretess' if self.add_on else ''}"


CALLERS = (*(Who(role, add_on) for role in Role for add_on in (False, True)), Who(None))


@dataclass(frozen=True)
class Things:
    """What lies at one place, each of a person of its own."""

    person: uuid.UUID
    active: uuid.UUID
    eid: uuid.UUID
    certificate: uuid.UUID
    sent: uuid.UUID
    queued: uuid.UUID
    orderable: uuid.UUID
    post: uuid.UUID
    invoice: str = ""


UNKNOWN = Things(*(uuid.UUID(int=2**127 + number) for number in range(8)), invoice="2029-000099")


@dataclass
class AccessWorld:
    """Everything, and the callers' sessions."""

    world: World
    things: dict[str, Things] = field(default_factory=dict)
    sessions: dict[Who, str] = field(default_factory=dict)
    session_ids: dict[Who, uuid.UUID] = field(default_factory=dict)
    actors: dict[Who, Actor] = field(default_factory=dict)
    cards: int = 0

    def __post_init__(self) -> None:
        authorities.make_authorities()
        self.picture = picture()
        world = self.world
        self.ward = world.organisation("Avdelningen", "TST2321000131-1007", "2321000131", area=world.area, parent=world.clinic)
        self._make_orderable(self.ward)
        self._make_orderable(world.stranger, new_area=True)
        CardCustomisation.objects.update(logotype=Document.store(picture("PNG"), "image/png"))
        self.places: dict[str, Organisation] = {
            "inside": world.clinic, "parent": world.region, "child": self.ward, "beside": world.city, "outside": world.stranger,
            "protected": world.clinic,
        }  # fmt: skip
        for relation, organisation in self.places.items():
            self.things[relation] = self._things(organisation, protected=relation == "protected")
        self._invoices()
        self.things["opened"] = self.things["outside"]
        self.things["unknown"] = UNKNOWN
        for who in CALLERS:
            self._caller(who)
        self.moment = clock.now()

    def open_outside(self, who: Who) -> None:
        """Lets the caller's extended search have found everybody of the other area."""
        found = PersonScope.objects.filter(organisation=self.world.stranger).values_list("person_id", flat=True)
        ref, until = self.actors[who].ref, clock.now() + dt.timedelta(minutes=30)
        ExtendedReach.objects.bulk_create(
            ExtendedReach(person_id=person_id, owner_ref=ref, reason="Prov", until=until) for person_id in found
        )

    # --- callers -----------------------------------------------------------------------------------------------------------

    def _caller(self, who: Who) -> None:
        actor = self.world.officer(self.world.clinic, who.role or Role.READER, protected=who.add_on)
        if who.role is None:  # a person of his own, whose only role ends behind the session's back
            person = self.world.post(self.world.clinic).person
            RoleGrant.objects.create(
                person=person, role=Role.READER.value, organisation=self.world.clinic, valid_from=clock.now()
            )
            self.sessions[who] = session_key(person)
            RoleGrant.objects.filter(person=person).update(valid_to=clock.now())
            return
        self.actors[who] = actor
        self.sessions[who] = session_key(Person.objects.get(pk=actor.person_id))
        self.session_ids[who] = Session.objects.get(subject_ref=actor.ref).pk

    # --- things ------------------------------------------------------------------------------------------------------------

    def _make_orderable(self, organisation: Organisation, *, new_area: bool = False) -> None:
        """Gives an organisation what an order needs."""
        if new_area:
            verified_customisation(organisation, "7837803999")
            self.far_office = create_office(actor=SETUP, area_id=organisation.area_id, name="Kontor Ö", invoice_comment="Ö")
        office = self.far_office if new_area else self.world.office
        connect_office(actor=SETUP, organisation_id=organisation.id, office_id=office.id)
        for code in ("631", "610"):
            offer_article(actor=SETUP, organisation_id=organisation.id, article_code=code, orderable=True)

    def order(self, organisation: Organisation, *, protected: bool) -> CardOrder:
        """An order of the organisation's own clerk for a new person there."""
        clerk = self.world.officer(organisation, Role.ID_ADMINISTRATOR, protected=protected)
        post = self.world.post(organisation, protected=protected)
        office = self.far_office if organisation == self.world.stranger else self.world.office
        return self.world.order(post, actor=clerk, office=office)

    def _sent(self, organisation: Organisation, *, protected: bool) -> CardOrder:
        """A card in SENT by the suppliers' services; the signer's part is done by rows."""
        order = self.order(organisation, protected=protected)
        self.cards += 1
        card = authorities.card(self.cards)
        supplier_intake.accept(client_ref=SUPPLIER, order_id=order.id)
        ids = card_certificates.request_certificates(
            client_ref=SUPPLIER, order_id=order.id, card_serial=card.serial, card_key_spki=card.key, csrs=card.csrs
        )
        authorities.issue(ids)
        CertificateBlob.objects.bulk_create(CertificateBlob(certificate_id=pk, der=_certificate(pk)) for pk in ids)
        jwe = authorities.puk_jwe(order.id, card.serial)
        supplier_events.register_event(client_ref=SUPPLIER, order_id=order.id, event=Produced("0123456789", jwe))
        supplier_events.register_event(client_ref=SUPPLIER, order_id=order.id, event=Sent(clock.today(), ""))
        authorities.open_puks()
        return CardOrder.objects.with_card("carrier__person").get(pk=order.pk)

    def _things(self, organisation: Organisation, *, protected: bool) -> Things:
        used, sent = (self._sent(organisation, protected=protected) for _ in range(2))
        self._activate(used.carrier, organisation)
        self._photo(used.carrier.person)
        new = self.world.post(organisation, protected=protected)
        certificate = CarrierCertificate.objects.get(eid=used.eid, profile="person-hsaid-auth")
        return Things(
            person=used.carrier.person_id, active=used.carrier_id, eid=used.eid_id, certificate=certificate.certificate_id,
            sent=sent.carrier_id, queued=self.order(organisation, protected=protected).id, orderable=new.person_id, post=new.id,
        )  # fmt: skip

    def _activate(self, carrier: Carrier, organisation: Organisation) -> None:
        """In use, with a receipt: set by rows, since pages alone are asked here."""
        now = clock.now()
        terms = Document.store(b"Villkor", "text/plain")
        content = {
            "receipt": {"heading": "Kvittens"}, "organisation": {"name": organisation.name}, "office": {"name": "Kontor A"},
            "carrier": {"card_serial": carrier.card_serial, "article": {"code": "631", "name": "Kort"}},
            "holder": {"name": "Prov Provsson", "person_id": {"kind": "personnummer", "value": "185001019802"}},
            "terms": {"summary": ["Skydda din kod."], "version": "1", "sha256": terms.sha256},
            "signature": {"sign_message": "Jag skriver under."},
            "regional_addition": None,
            "identification": {
                "document": "driving_licence", "officer": {"name": "Handläggare Provsson"}, "at": now.isoformat(),
            },
        }  # fmt: skip
        certificate = CarrierCertificate.objects.get(carrier=carrier, profile="person-id-sign")
        receipt = Receipt.objects.create(
            document=Document.store(f"%PDF {carrier.pk}".encode(), "application/pdf"), terms=terms, terms_version="1",
            identity_document="driving_licence", officer_ref=f"user:{carrier.person_id}",
            signature_certificate_id=certificate.certificate_id, signed_at=now, content=content,
            content_sha256=sha256_hex(canonical_json(content)),
        )  # fmt: skip
        signed = {
            "receipt": str(receipt.pk), "document_sha256": receipt.document_id, "content_sha256": receipt.content_sha256,
            "signature_certificate": str(receipt.signature_certificate_id),
        }  # fmt: skip
        IssuanceEvent.record(
            actor_ref="holder:x", action="carrier.activated", subject_type="carrier", subject_ref=str(carrier.pk), facts=signed
        )
        Carrier.objects.filter(pk=carrier.pk).update(state="active", activated_at=now, code_set_at=now, receipt=receipt)
        Eid.objects.filter(carrier=carrier).update(state="active", activated_at=now)

    def _photo(self, person: Person) -> None:
        document = Document.store(self.picture + str(person.pk).encode(), "image/jpeg")
        now = clock.now()
        Photo.objects.create(
            person=person, document=document, width=60, height=80, uploaded_at=now, uploaded_by_ref="user:x", approved_at=now
        )

    def _invoices(self) -> None:
        """One for each party."""
        run = InvoiceRun.objects.create(period=dt.date(2023, 4, 1), opened_at=clock.now(), program_version="test")
        price = PriceItem.objects.create(
            article_code="631", unit_price=Decimal(75), vat_rate=Decimal(25), valid_from=dt.date(2020, 1, 1)
        )
        for sequence, relation in enumerate(INVOICED, start=1):
            number = _invoice(run, price, self.places[relation], sequence)
            kept = self.things[relation]
            self.things[relation] = Things(**{**kept.__dict__, "invoice": number})


def _invoice(run: InvoiceRun, price: PriceItem, party: Organisation, sequence: int) -> str:
    """An issued invoice of one line with its files, by rows."""
    now, number = clock.now(), f"2023-{sequence:06}"
    customer = BillingCustomer.objects.create(
        party_id=party.id, valid_from=now, name=party.name, organisation_number="2329990002", endpoint_id="2329990002",
        postal_code="123 45", city="Demostad",
    )  # fmt: skip
    buyer = {**BUYER.as_json(), "name": party.name}
    invoice = Invoice.objects.create(
        run=run, customer=customer, party_id=party.id, period=run.period, seller=SELLER.as_json(), buyer=buyer, net=Decimal(75),
        vat=Decimal("18.75"), gross=Decimal("93.75"), rounding=Decimal(0), payable=Decimal("93.75"), content_sha256="0" * 64,
        drafted_at=now,
    )  # fmt: skip
    amounts = {
        "article_code": "631",
        "quantity": Decimal(1),
        "unit_price": Decimal(75),
        "vat_rate": Decimal(25),
        "period": run.period,
        "grouping_key": "card|631",
    }
    line = InvoiceLine.objects.create(invoice=invoice, position=1, kind="card", text="631, A", net=Decimal(75), **amounts)
    entry = LedgerEntry.objects.create(
        source_key=f"card:{uuid.uuid4()}", kind="card", party_id=party.id, organisation_id=party.id, office_id=uuid.uuid4(),
        priced_on=run.period, occurred_at=now, recorded_at=now, price_item=price, **amounts,
    )  # fmt: skip
    LineEvent.objects.create(entry=entry, line=line)
    Invoice.objects.filter(pk=invoice.pk).update(
        state=InvoiceState.ISSUED, number=number, series="2023", sequence=sequence, issue_date=dt.date(2023, 5, 2),
        due_date=dt.date(2023, 6, 1), payment_reference="1", issued_at=now, previous_hash="0", chain_hash="0",
    )  # fmt: skip
    outbox.add([Invoice.objects.get(pk=invoice.pk)])
    for file_format, media_type in ((FileFormat.PDF, "application/pdf"), (FileFormat.PEPPOL, "application/xml")):
        document = InvoiceDocument.store(f"{number} {file_format}".encode(), media_type)
        InvoiceFile.objects.create(invoice=invoice, file_format=file_format, document=document, made_at=now)
    return number


def picture(kind: str = "JPEG") -> bytes:
    """A small picture."""
    content = io.BytesIO()
    Image.new("RGB", (60, 80), "navy").save(content, kind)
    return content.getvalue()


_KEY = ec.generate_private_key(ec.SECP256R1())


def _certificate(pk: uuid.UUID) -> bytes:
    """DER for pages that show it: of the row's own serial, under the planned CA's name, not signed by any CA."""
    row = Certificate.objects.get(pk=pk)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "DEMO SITHS e-id prov")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(_KEY.public_key())
    builder = builder.serial_number(int(row.serial, 16)).not_valid_before(row.not_before).not_valid_after(row.not_after)
    return builder.sign(_KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


@contextlib.contextmanager
def undone() -> Iterator[None]:
    """Rolls back whatever the block does, also what durable transactions inside it commit."""
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined]  # as django.test.TestCase marks its own
    with block:
        yield
        transaction.set_rollback(True)

"""What the matrix's addresses name, where it belongs to one person or session: made for each request and rolled back with it."""

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.db.models import Q

from authn.models import ServiceClient
from billing.credit.models import CreditRequest, CreditRequestLine, Treatment
from billing.customers.models import CustomerImport
from billing.invoices.models import InvoiceLine
from billing.payments.models import Payment, PaymentFile
from billing.price_changes.models import PriceChange, PriceImport
from billing.runs.models import InvoiceRun, RunItem
from issuance.activation.models import DocumentSuspicion, EidAppTransaction, Identification, Statement
from issuance.articles.models import Article, SubscriptionFee
from issuance.carriers.models import Carrier, Eid
from issuance.customisations.models import CardCustomisation
from issuance.imports.models import CarrierImport, SetupImport
from issuance.offices.models import Office
from issuance.operators.models import CertificateSearch, MassTrial
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.models.eid_orders import EidOrder
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.organisations.models import Organisation
from issuance.people.models.persons import PersonIdentifier, Post
from issuance.people.models.photos import Photo
from issuance.register_care.domain.kinds import NOT_ACTIVATED
from issuance.register_care.models import WorkItem
from issuance.reserve_cards.models import ReserveCardIssue
from issuance.search.models import Search
from issuance.stock.models import StockCard
from issuance.suppliers.push.models import PushDelivery
from pki.approvals import dual_control
from pki.mass_revocation import lifecycle
from pki.models import ApprovalAction, Decision, MassRevocation
from siths_portal.lib import clock
from tests.access.row import OfTarget, same_for_all
from tests.access.world import INVOICED, UNKNOWN, AccessWorld, Who


def own_search(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A search of the caller's own session, or of another person's, or of none."""
    if relation == "unknown":
        return (UUID(int=1),)
    mine = relation == "inside"
    row = Search.objects.create(
        owner_ref=access.actors[who].ref if mine else f"user:{uuid4()}", session_id=access.session_ids[who] if mine else uuid4(),
        kind="hsa_id", value="TST2321000131-X", hits=0, created_at=clock.now(),
    )  # fmt: skip
    return (row.pk,)


def transaction(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """An eID app transaction that the caller opened for the card that was sent to somebody there."""
    carrier = access.things[relation].sent
    return (carrier if relation == "unknown" else open_transaction(carrier, access.actors[who].ref).pk,)


def open_transaction(carrier: UUID, officer_ref: str, kind: str = "activate") -> EidAppTransaction:
    """An eID app transaction for a card, on the ground of an identification."""
    now = clock.now()
    identification = Identification.objects.create(
        carrier_id=carrier, officer_ref=officer_ref, identity_document="passport", at=now
    )
    return EidAppTransaction.objects.create(
        carrier_id=carrier, identification=identification, kind=kind, state="created", officer_ref=officer_ref,
        origin="http://testserver", handle_sha256=uuid4().hex, terms_sha256="0" * 64, content_sha256="0" * 64, created_at=now,
        expires_at=now + dt.timedelta(minutes=5),
    )  # fmt: skip


def unlocking(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """The transaction in which somebody's card there is unlocked."""
    carrier = access.things[relation].active
    return (carrier if relation == "unknown" else open_transaction(carrier, access.actors[who].ref, "unlock").pk,)


@same_for_all
def puk_letter(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """An order of a letter with the PUK of somebody's card there."""
    active = access.things[relation].active
    if relation == "unknown":
        return (active,)
    card = Carrier.objects.get(pk=active)
    model = CardOrder.objects.exclude(person=None).filter(items__carrier__isnull=False).first()
    assert model is not None
    order = CardOrder.objects.create(
        person_id=card.person_id, organisation_id=card.organisation_id, article_id=card.article_id, office_id=model.office_id,
        customisation_id=model.customisation_id, supplier_ref=model.supplier_ref, state="queued", ordered_by_ref="user:x",
        idempotency_key=uuid4().hex, content_sha256="0" * 64, ordered_at=clock.now(),
    )  # fmt: skip
    OrderItem.objects.create(order=order, number=1, kind="letter", puk_of=card, state="waiting")
    return (order.pk,)


def eid_order(eid: Eid) -> EidOrder:
    """An order to renew an eID."""
    now = clock.now()
    return EidOrder.objects.create(
        kind="renewal", carrier=eid.carrier, post_id=eid.post_id, organisation_id=eid.organisation_id,
        article_id=eid.carrier.article_id, assurance_level=eid.assurance_level, hsa_id=eid.hsa_id, replaces=eid, state="ordered",
        ordered_by_ref="user:x", ordered_at=now, expires_at=now + dt.timedelta(days=90),
    )  # fmt: skip


@same_for_all
def waiting_eid(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """The order of an eID that waits for its holder."""
    pk = access.things[relation].eid
    return (pk if relation == "unknown" else eid_order(Eid.objects.get(pk=pk)).pk,)


def identification(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """The caller's own identification of somebody there, on whose ground an eID app transaction is open."""
    (pk,) = transaction(access, who, relation)
    return (pk,) if relation == "unknown" else (EidAppTransaction.objects.get(pk=pk).identification_id,)


@same_for_all
def suspicion(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A suspected false document at a visit with the card of somebody there."""
    card = access.things[relation].sent
    if relation == "unknown":
        return (card,)
    row = DocumentSuspicion.objects.create(
        carrier_id=card, officer_ref="person:somebody-else", identity_document="passport", observed="Lösa skikt", at=clock.now()
    )
    return (row.pk,)


@same_for_all
def anothers_identification(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """The same of another officer. Identifications never change, so it is made as that officer's."""
    if relation == "unknown":
        return (access.things[relation].sent,)
    row = Identification.objects.create(
        carrier_id=access.things[relation].sent, officer_ref="person:somebody-else", identity_document="passport", at=clock.now()
    )
    return (row.pk,)


def completed(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """The transaction by which somebody's card there was activated."""
    carrier = access.things[relation].active
    if relation == "unknown":
        return (carrier,)
    (pk,) = transaction(access, who, relation)
    EidAppTransaction.objects.filter(pk=pk).update(carrier=carrier, state="completed", ended_at=clock.now())
    return (pk,)


def draft(access: AccessWorld, who: Who, relation: str, *, article: str = "631") -> tuple[Any, ...]:
    """A draft of the caller's own for somebody there, with every answer but a photo."""
    things = access.things[relation]
    if relation == "unknown":
        return (things.orderable,)
    now = clock.now()
    post = Post.objects.select_related("organisation").get(pk=things.post)
    office = post.organisation.offices.get()
    row = OrderDraft.objects.create(
        owner_ref=access.actors[who].ref, person_id=things.orderable, post=post, article_id=article, office=office,
        created_at=now, updated_at=now,
    )  # fmt: skip
    return (row.pk,)


def photo_draft(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """The same for a card with photo, which has been uploaded and not looked at."""
    arguments = draft(access, who, relation, article="610")
    if relation != "unknown":
        photo = Photo.objects.create(
            person_id=access.things[relation].orderable, pending=access.picture, width=60, height=80, uploaded_at=clock.now(),
            uploaded_by_ref=access.actors[who].ref,
        )  # fmt: skip
        OrderDraft.objects.filter(pk=arguments[0]).update(photo=photo)
    return arguments


def photo_of_draft(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """The draft and its photo."""
    (draft_id,) = photo_draft(access, who, relation)
    found = OrderDraft.objects.filter(pk=draft_id).values_list("photo", flat=True).first()
    return (draft_id, found or draft_id)


def post_of_draft(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """The draft and its assignment."""
    (draft_id,) = draft(access, who, relation)
    found = OrderDraft.objects.filter(pk=draft_id).values_list("post", flat=True).first()
    return (draft_id, found or draft_id)


def replacing_draft(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A draft of the caller's own for a card in the place of one that is there."""
    arguments = draft(access, who, relation)
    if relation != "unknown":
        OrderDraft.objects.filter(pk=arguments[0]).update(
            replaced_carrier=access.things[relation].active, replacement_reason="lost"
        )
    return arguments


@same_for_all
def returned(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """The order of a card that came back."""
    carrier = access.things[relation].sent
    if relation == "unknown":
        return (carrier,)
    order = CardOrder.objects.get(items__carrier=carrier)
    CardOrder.objects.filter(pk=order.pk).update(state="returned")
    order.items.update(state="returned")
    Carrier.objects.filter(pk=carrier).update(state="revoked", ended_at=clock.now(), revocation_reason="returned")
    return (order.pk,)


def anothers_draft(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """The caller's own draft inside; a colleague's in the same place; none."""
    arguments = draft(access, who, "unknown" if relation == "unknown" else "inside")
    if relation == "outside":
        OrderDraft.objects.filter(pk=arguments[0]).update(owner_ref=f"user:{uuid4()}")
    return arguments


@same_for_all
def authority(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A CA, by slug and generation."""
    return ("nobody-at-all" if relation == "unknown" else "person-hsaid-3", 1)


@same_for_all
def invoice_month(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A month with a run."""
    return ("2001-01" if relation == "unknown" else "2023-04",)


@same_for_all
def invoice_draft(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A customer of a run."""
    party_id = access.places[INVOICED[0]].id
    if relation != "unknown":
        RunItem.objects.create(run=InvoiceRun.objects.get(), party_id=party_id, state="empty", cutoff=0)
    return ("2023-04", party_id)


@same_for_all
def invoice_draft_counted(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A subscription of a customer of a run."""
    month, party_id = invoice_draft(access, who, relation)
    return (month, party_id, party_id)


@same_for_all
def subscriber(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A party that pays the subscription of its own organisation."""
    if relation == "unknown":
        return (UUID(int=1), UUID(int=1))
    place = access.places[relation]
    SubscriptionFee.objects.create(organisation=place, charged=True, valid_from=clock.now() - dt.timedelta(days=400))
    return (place.id, place.id)


def certificate_search(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A search for certificates of the caller's own session, or of another person's, or of none."""
    if relation == "unknown":
        return (UUID(int=1),)
    mine = relation == "inside"
    row = CertificateSearch.objects.create(
        owner_ref=access.actors[who].ref if mine else f"user:{uuid4()}", session_id=access.session_ids[who] if mine else uuid4(),
        form={}, criteria={"serials": ["0177AB"]}, created_at=clock.now(),
    )  # fmt: skip
    return (row.pk,)


@same_for_all
def setup_table(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A table of the set-up."""
    return ("ingenting" if relation == "unknown" else "kontor",)


def setup_import(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A file that the caller or another user uploaded, or an unknown id."""
    return _file(SetupImport, "kontor", access, who, relation)


def carrier_import(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A file of cards that the caller or another user uploaded, or an unknown id."""
    return _file(CarrierImport, "kort", access, who, relation)


def _file(model: type[SetupImport | CarrierImport], kind: str, access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    if relation == "unknown":
        return (UUID(int=1),)
    now = clock.now()
    row = model.objects.create(
        owner_ref=access.actors[who].ref if relation == "inside" else f"user:{uuid4()}", format="csv", sha256="0" * 64,
        rows=[{"kind": kind, "sheet": "", "number": 2, "values": {"name": "Prov"}, "odd": {}}], created_at=now,
        expires_at=now + dt.timedelta(hours=1),
    )  # fmt: skip
    return (row.pk,)


@same_for_all
def credited_invoice(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """An invoice that may be credited, or a number that no invoice has."""
    return (UNKNOWN.invoice if relation == "unknown" else access.things["parent"].invoice,)


@same_for_all
def credit_request(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A withdrawn request to credit an invoice, or an unknown id."""
    if relation == "unknown":
        return (UUID(int=1),)
    line = InvoiceLine.objects.get(invoice__number=access.things["parent"].invoice)
    then = {"withdrawn_by": "user:somebody", "withdrawn_at": clock.now(), "requested_at": clock.now()}
    request = CreditRequest.objects.create(invoice_id=line.invoice_id, reason="Prov", requested_by="user:somebody", **then)
    CreditRequestLine.objects.create(request=request, line=line, quantity=line.quantity, treatment=Treatment.WRITE_OFF)
    return (request.pk,)


@same_for_all
def customer(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A party with customer data, or an organisation that nobody knows."""
    return (UUID(int=1) if relation == "unknown" else access.places["parent"].pk,)


@same_for_all
def article_code(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """The code of an article, or one that no article has."""
    return ("nothing" if relation == "unknown" else "RESERV",)


def customer_file(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A file of customers that the caller or another user uploaded, or an unknown id."""
    return _file(CustomerImport, "kunder", access, who, relation)


def price_file(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A file of prices that the caller or another user uploaded, or an unknown id."""
    return _file(PriceImport, "priser", access, who, relation)


def _file(model: Any, kind: str, access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    if relation == "unknown":
        return (UUID(int=1),)
    now = clock.now()
    row = model.objects.create(
        owner_ref=access.actors[who].ref if relation == "inside" else f"user:{uuid4()}", format="csv", sha256="0" * 64,
        rows=[{"kind": kind, "sheet": "", "number": 2, "values": {"name": "Prov"}, "odd": {}}], created_at=now,
        expires_at=now + dt.timedelta(hours=1),
    )  # fmt: skip
    return (row.pk,)


def bank_file(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A file of payments that the caller or another user uploaded, or an unknown id."""
    if relation == "unknown":
        return (UUID(int=1),)
    now = clock.now()
    row = PaymentFile.objects.create(
        owner_ref=access.actors[who].ref if relation == "inside" else f"user:{uuid4()}", sha256="0" * 64, rows=[], skipped=0,
        created_at=now, expires_at=now + dt.timedelta(hours=1),
    )  # fmt: skip
    return (row.pk,)


@same_for_all
def bank_payment(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A payment without an invoice, or an unknown id."""
    if relation == "unknown":
        return (UUID(int=1),)
    now = clock.now()
    source = PaymentFile.objects.create(
        owner_ref="user:somebody", sha256="0" * 64, rows=[], skipped=0, created_at=now, expires_at=now, booked_at=now
    )
    row = Payment.objects.create(
        file=source, account="9912346", entry_reference="A1", part=1, booked_on=now.date(), amount=Decimal(1), received_at=now
    )
    return (row.pk,)


@same_for_all
def price_change(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A request for a price by somebody else. It is sent without the hash of its effect, so it changes nothing."""
    if relation == "unknown":
        return (UUID(int=1),)
    now = clock.now()
    row = PriceChange.objects.create(
        article_code="631", unit_price=Decimal(80), vat_rate=Decimal(25), valid_from=now.date(), requested_by=f"user:{uuid4()}",
        requested_at=now + dt.timedelta(minutes=1),  # after everybody got their roles
    )  # fmt: skip
    return (row.pk,)


@same_for_all
def matter(access: AccessWorld, who: Who, relation: str, *, requester: str = "") -> tuple[Any, ...]:
    """A matter under dual control that somebody else, or `requester`, asked for."""
    if relation == "unknown":
        return (UUID(int=1),)
    made = dual_control.request(
        action=ApprovalAction.MASS_REVOCATION, summary="Prov", document={}, requester_ref=requester or f"user:{uuid4()}"
    )
    return (made.pk,)


def own_matter(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A matter that the caller asked for."""
    return matter(access, who, relation, requester=access.actors[who].ref)


def mass_trial(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A trial count of the caller's own session, or of another person's, or of none."""
    if relation == "unknown":
        return (UUID(int=1),)
    mine = relation == "inside"
    row = MassTrial.objects.create(
        owner_ref=access.actors[who].ref if mine else f"user:{uuid4()}", session_id=access.session_ids[who] if mine else uuid4(),
        selection={"unit_ref": "none"}, as_of=clock.now(), members_sha256=NOTHING, created_at=clock.now(),
        counted={
            "total": 1, "revocable": 1, "unmatched_serials": 0, "unmatched_keys": 0, "unmatched_examples": [],
            "groups": [{"ca": "function", "generation": 1, "profile": "function", "reserved": 0, "issued": 1, "revoked": 0}],
        },
    )  # fmt: skip
    return (row.pk,)


NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""The hash of no certificates."""


@same_for_all
def mass(access: AccessWorld, who: Who, relation: str, *, state: str = "requested") -> tuple[Any, ...]:
    """A mass revocation that somebody asked for and others approved."""
    if relation == "unknown":
        return (UUID(int=1),)
    row = MassRevocation(
        id=uuid4(), selection={"unit_ref": "none"}, as_of=clock.now(), groups=[], total=0, revocable=0, members_sha256=NOTHING,
        reason="superseded", justification="Prov", received_at=clock.now(), channel="portal", requester="case:1",
        publish_crls=False, requested_by_ref=f"user:{uuid4()}", created_at=clock.now(), state=state,
    )  # fmt: skip
    row.approval_request = dual_control.request(
        action=ApprovalAction.MASS_REVOCATION, summary="Prov", document=lifecycle.document(row),
        requester_ref=row.requested_by_ref,
    )  # fmt: skip
    row.save(force_insert=True)
    for _ in range(row.approval_request.required):
        dual_control.decide(
            request_id=row.approval_request.pk, approver_ref=f"user:{uuid4()}", decision=Decision.APPROVED,
            document_sha256=row.approval_request.document_sha256,
        )  # fmt: skip
    return (row.pk,)


@same_for_all
def running_mass(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """One that is under way."""
    return mass(access, who, relation, state="running")


def last_digits(pk: UUID) -> str:
    """The end of the number of a card, or of the card with this eID."""
    found = Carrier.objects.filter(Q(pk=pk) | Q(eids=pk)).values_list("card_serial", flat=True).first()
    return (found or "")[-4:]


REVOCATION = {
    "reason": "lost_or_stolen", "justification": "", "requester": "holder", "requester_name": "", "channel": "visit",
    "received_at": lambda: f"{clock.now().astimezone(clock.STOCKHOLM):%Y-%m-%dT%H:%M}", "confirm": OfTarget(last_digits),
}  # fmt: skip
"""A whole request, which would revoke."""


def last_of_number(pk: UUID) -> str:
    """The end of a person's number."""
    found = PersonIdentifier.objects.filter(person=pk).values_list("value", flat=True).first()
    return (found or "")[-4:]


def possessions(pk: UUID) -> list[str]:
    """The ids of all cards and eIDs of a person, as the page shows them."""
    carriers = Carrier.objects.filter(person=pk).values_list("pk", flat=True)
    return [str(each) for each in (*carriers, *Eid.objects.filter(carrier__person=pk).values_list("pk", flat=True))]


WHOLE_REVOCATION = {**REVOCATION, "confirm": OfTarget(last_of_number), "visat": OfTarget(possessions)}
"""A whole request, which would revoke everything of a person."""

ORGANISATIONS = ("inside", "parent", "child", "beside", "outside", "unknown")
SUB_ORGANISATIONS = ("inside", "child", "outside", "unknown")
TOP_ORGANISATIONS = ("parent", "beside", "outside", "unknown")
AREAS = ("parent", "outside", "unknown")
"""No protection and no extended search concerns places; an area lies above everything in it."""


@same_for_all
def organisation(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """An organisation."""
    return (UUID(int=1) if relation == "unknown" else access.places[relation].pk,)


@same_for_all
def area(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """An issuing area."""
    return (UUID(int=1) if relation == "unknown" else access.places[relation].area_id,)


@same_for_all
def office(access: AccessWorld, who: Who, relation: str, *, number: str = "1000000001") -> tuple[Any, ...]:
    """An office that one organisation may choose."""
    if relation == "unknown":
        return (UUID(int=1),)
    place = access.places[relation]
    row = Office.objects.create(area_id=place.area_id, name="Prov", invoice_comment="Prov", office_number=number)
    row.organisations.add(place)
    return (row.pk,)


@same_for_all
def ordered_bundle(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A queued bundle of reserve cards of one organisation."""
    if relation == "unknown":
        return (UUID(int=1),)
    place = access.places[relation]
    article, _made = Article.objects.get_or_create(
        code="573", defaults={
            "number": "573", "name": "Reservkort", "kind": "reserve", "orientation": "portrait", "photo": False,
            "assurance_level": 2, "registered_mail": False, "valid_from": dt.date(2020, 1, 1),
        },
    )  # fmt: skip
    made = CardOrder.objects.create(
        organisation=place, article=article, office_id=office(access, who, relation)[0],
        customisation=CardCustomisation.objects.first(),
        state="queued", seq=1, ordered_by_ref="user:x", idempotency_key=uuid4().hex, content_sha256="0" * 64,
        supplier_ref="bureau", ordered_at=access.moment,
    )  # fmt: skip
    card = Carrier.objects.create(
        kind="reserve_card", organisation=place, article=article, state="ordered", valid_from=access.moment,
        valid_to=access.moment + dt.timedelta(days=1), created_at=access.moment,
    )  # fmt: skip
    OrderItem.objects.create(order=made, number=1, kind="reserve_card", carrier=card, state="waiting")
    return (made.pk,)


@same_for_all
def stock_card(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A reserve card in the stock of an office that one organisation may choose."""
    if relation == "unknown":
        return (UUID(int=1),)
    order = CardOrder.objects.get(pk=ordered_bundle(access, who, relation)[0])
    carrier = Carrier.objects.get(item__order=order)
    Carrier.objects.filter(pk=carrier.pk).update(state="in_stock", card_serial="9752000000000009999")
    made = StockCard.objects.create(
        carrier=carrier, office_id=order.office_id, valid_to=carrier.valid_to, received_at=access.moment, state="in_stock", seq=1
    )
    return (made.pk,)


@same_for_all
def work_list(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """The list of a kind of work. It lies in no organisation; its rows do."""
    return ("finns-inte" if relation == "unknown" else NOT_ACTIVATED.slug,)


@same_for_all
def work_item(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A row of work about the active card of somebody there."""
    active = access.things[relation].active
    if relation == "unknown":
        return (active,)
    card = Carrier.objects.get(pk=active)
    made = WorkItem.objects.create(
        kind="ended", subject_id=card.pk, organisation_id=card.organisation_id, person_id=card.person_id, carrier=card,
        due=access.moment.date(), found_at=access.moment, state="open", seq=1,
    )  # fmt: skip
    return (made.pk,)


@same_for_all
def waiting_issue(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """The hand-out of a reserve card to somebody there, which waits for a second officer."""
    if relation == "unknown":
        return (UUID(int=1),)
    return (hand_out(Post.objects.get(pk=access.things[relation].post)).pk,)


def own_statement(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A statement about a hand-out that the caller, or somebody else, opened for the second officer's signature."""
    if relation == "unknown":
        return (UUID(int=1),)
    issue = hand_out(Post.objects.get(pk=access.things[relation].post))
    officer = access.actors[who].ref if relation == "inside" else f"user:{uuid4()}"
    row = open_transaction(access.things[relation].active, officer, "sign")
    EidAppTransaction.objects.filter(pk=row.pk).update(identification=None)
    Statement.objects.create(transaction=row, purpose="reserve_card_second", subject_ref=issue.pk, content={}, summary="Prov")
    return (row.pk,)


def hand_out(post: Post) -> ReserveCardIssue:
    """A hand-out on level 3 for an assignment, by another officer. Its card stands for one in stock."""
    now = clock.now()
    return ReserveCardIssue.objects.create(
        carrier=Carrier.objects.exclude(reserve_issues__isnull=False).first(), person_id=post.person_id, post=post,
        assurance_level=3, valid_to=now + dt.timedelta(days=14), officer_ref="user:x", identity_document="passport",
        state="waiting", seq=1, created_at=now, waiting_since=now, waiting_until=now + dt.timedelta(minutes=60),
    )  # fmt: skip


@same_for_all
def customisation(access: AccessWorld, who: Who, relation: str, *, number: str = "1000000001") -> tuple[Any, ...]:
    """A card customisation of one organisation's own."""
    if relation == "unknown":
        return (UUID(int=1),)
    row = CardCustomisation.objects.create(supplier_ref="bureau", customisation_id=number, name="Prov")
    Organisation.objects.filter(pk=access.places[relation].pk).update(customisation=row)
    return (row.pk,)


@same_for_all
def organisation_with_own(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """An organisation below another, with a card customisation of its own."""
    if relation == "unknown":
        return (UUID(int=1),)
    place = access.places[relation]
    if place.parent_id is None:
        place = access.world.organisation("Prov", "TST2321000131-1999", "2321000131", area=place.area, parent=place)
    row = CardCustomisation.objects.create(supplier_ref="bureau", customisation_id="1000000001", name="Prov")
    Organisation.objects.filter(pk=place.pk).update(customisation=row)
    return (place.pk,)


@same_for_all
def generic_customisation(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """The card customisation that is nobody's own."""
    if relation == "unknown":
        return (UUID(int=1),)
    return (CardCustomisation.objects.create(supplier_ref="bureau", customisation_id="1000000001", name="Prov", generic=True).pk,)


@same_for_all
def article(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """An article, by its code."""
    return ("999999" if relation == "unknown" else "631-REK",)


@same_for_all
def supplier(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A supplier that is pushed to."""
    if relation == "unknown":
        return ("nobody-at-all",)
    push = {"url": "https://kort.example", "keys": []}
    client, _new = ServiceClient.objects.get_or_create(
        client_ref="pushed", defaults={"kind": "supplier", "name": "Byrån", "push": push}
    )
    return (client.client_ref,)


@same_for_all
def stopped_delivery(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A delivery that a supplier refused, with its supplier."""
    (client_ref,) = supplier(access, who, "inside")
    if relation == "unknown":
        return (client_ref, UUID(int=1))
    order = CardOrder.objects.order_by("pk").first()
    delivery, _new = PushDelivery.objects.get_or_create(
        order=order,
        defaults={"supplier_ref": client_ref, "state": "dead", "queued_at": clock.now(), "settled_at": clock.now()},
    )
    return (client_ref, delivery.pk)

"""The clerk's side of the activation of a card (rules/issuance 5.1): identification, and the eID app transaction that
it opens. `activation_app` is the app's side.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import transaction as database
from django.db.models import QuerySet

from issuance.activation.domain.transaction_states import OPEN, TransactionAction, TransactionKind, TransactionState
from issuance.activation.models import EidAppTransaction, Identification
from issuance.activation.services import card_certificates, receipts, transactions, visits
from issuance.activation.services.attesting import Attested
from issuance.activation.services.visits import Opened, TransactionView
from issuance.authz import Action, Actor, policy
from issuance.carriers import services as carriers
from issuance.carriers.domain import kinds
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.domain.kinds import Function
from issuance.carriers.models import Carrier, Eid
from issuance.orders.domain.items import ItemState
from issuance.orders.domain.rules import Obstacle
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import order_checks
from issuance.people.models.persons import Post
from issuance.people.services import people
from issuance.roles.services.actors import actor_of_person
from issuance.roles.services.subjects import person_of
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict
from siths_portal.lib.ids import new_id

BATCH = 200
_OBSTACLES = {
    Obstacle.DECEASED: "Personen är avliden enligt personregistret. Kortet kan inte aktiveras.",
    Obstacle.NOT_PERSONNUMMER: "Personen saknar personnummer. Kort på tillitsnivå 3 kräver personnummer.",
    Obstacle.NO_ADDRESS: "Personen är inte folkbokförd. Kort på tillitsnivå 3 kräver folkbokföringsadress.",
    Obstacle.TOO_YOUNG: "Kortet kan inte aktiveras. Personen måste ha fyllt {age} år för tillitsnivå {level}.",
}


@dataclass(frozen=True)
class ReadyCard:
    """A carrier ready for activation, with the data of its receipt. `is_certified` is False for a card whose keys are made in the
    transaction: its receipt is made there too.
    """

    carrier: Carrier
    order: CardOrder
    post: Post
    eids: list[Eid]
    certificates: Mapping[str, pki.CertificateView]
    kind: TransactionKind
    is_certified: bool

    def receipt_values(self) -> tuple[object, ...]:
        """Returns the values that a receipt for the card contains, to detect changes in the meantime."""
        order, carrier = self.order, self.carrier
        eids = [(eid.pk, eid.state, eid.hsa_id, eid.organisation_id, eid.valid_to) for eid in self.eids]
        certificates = sorted((profile, view.id) for profile, view in self.certificates.items())
        return self.kind, order.pk, order.office_id, carrier.organisation_id, carrier.valid_to, eids, certificates


def identify(*, actor: Actor, carrier_id: UUID, identity_document: str, attested: Attested | None = None) -> Opened:
    """Records that the holder was identified and opens a transaction for the eID app. First reads assignment and person live.
    `attested` is what another person attested, if that identified the holder.

    Supersedes open transactions of the card, but raises Conflict for one that another clerk's holder has started. The same
    clerk's second click within seconds returns the same transaction with a new handle. Raises NotFound, Forbidden (role, own
    matter), Invalid (a document that is not enough, an attestation), Conflict (an obstacle), Unavailable (external systems, PDF).
    """
    visits.require_document(identity_document)
    card = ready(get(actor, carriers_to_activate(), carrier_id))
    if again := visits.second_click(actor, Function.ACTIVATE, carrier_id, identity_document):
        return again
    identification = visits.identified_now(actor, card.carrier, identity_document, attested)
    live = people.read_live(card.post)
    post = card.post
    people.remember(post_id=post.id, live=live)
    check_holder(card, live)
    return open_transaction(actor, card, identification)


def reopen(*, actor: Actor, transaction_id: UUID) -> Opened:
    """Returns a new handle for a transaction whose app window was lost, based on its existing identification.

    A transaction that the app has not started keeps its id. Otherwise a new one replaces it, of kind `sign` if the code is set
    and works; a blocked code is chosen again (ADR 0289). Raises NotFound, Forbidden (another clerk's), Conflict (completed,
    superseded, identification too old).
    """
    seen = visits.seen(actor, Function.ACTIVATE, transaction_id)
    visits.require_reopenable(actor, seen)
    card = ready(get(actor, carriers_to_activate(), seen.carrier_id))
    if renewed := visits.renew(actor, Function.ACTIVATE, seen.id):
        return renewed
    return open_transaction(actor, card, seen.visit)


def state(*, actor: Actor, transaction_id: UUID) -> TransactionView:
    """Returns the transaction's present state. `transaction.carrier.person` is loaded. Raises NotFound, Forbidden."""
    seen = visits.seen(actor, Function.ACTIVATE, transaction_id)
    may_reopen = visits.may_reopen(actor, seen) and transactions.kind_for(seen.carrier) is not None
    current = transactions.state_now(seen)
    if may_reopen and current not in OPEN:  # a request for a revocation ends open transactions
        may_reopen = visits.obstacle(seen.carrier_id) is None
    return TransactionView(seen, current, may_reopen, visits.reopen_until(seen))


def cancel(*, actor: Actor, transaction_id: UUID) -> EidAppTransaction:
    """Cancels an open transaction; an ended one stays as it is. Raises NotFound, Forbidden, also for another clerk's
    transaction that its holder has started.
    """
    return visits.cancel(actor=actor, function=Function.ACTIVATE, transaction_id=transaction_id)


def end_overdue(*, batch: int = BATCH) -> int:
    """Ends transactions whose time is out, each in its own database transaction, and returns how many. Repeatable."""
    overdue = EidAppTransaction.objects.filter(state__in=[one.value for one in OPEN], expires_at__lte=clock.now())
    ended = 0
    for transaction_id, carrier_id in overdue.order_by("expires_at", "id").values_list("id", "carrier_id")[:batch]:
        ended += _expire(transaction_id, carrier_id)
    return ended


def overdue_count() -> int:
    """Returns how many transactions `end_overdue` would end."""
    return EidAppTransaction.objects.filter(state__in=[one.value for one in OPEN], expires_at__lte=clock.now()).count()


@database.atomic(durable=True)
def _expire(transaction_id: UUID, carrier_id: UUID) -> bool:
    Carrier.objects.select_for_update(no_key=True).get(pk=carrier_id)
    row = transactions.locked(transaction_id)
    if TransactionState(row.state) not in OPEN or row.expires_at > clock.now():
        return False
    transactions.end(row, TransactionAction.EXPIRE, actor_ref="system:expiry")
    return True


def carriers_to_activate() -> QuerySet[Carrier]:
    """Returns all carriers with what an activation reads of them."""
    return Carrier.objects.select_related("person", "organisation__area")


def get(actor: Actor, rows: QuerySet[Carrier], carrier_id: UUID) -> Carrier:
    """Returns the carrier if the actor may activate it: an officer by right, or the card itself. Raises NotFound, Forbidden."""
    if actor.kind == "card":
        return policy.get(actor, Action.FETCH_EID, rows, carrier_id)
    return carriers.get(actor, Function.ACTIVATE, rows, carrier_id)


def ready(carrier: Carrier) -> ReadyCard:
    """Returns the carrier with everything that activation needs. Raises Conflict with the first thing missing. A state that has
    changed since the carrier was read comes first: a revocation takes the certificates and the PUK with it.
    """
    try:
        return _with_parts(carrier)
    except Conflict:
        carrier.refresh_from_db(fields=["state"])
        _task(carrier)
        raise


def _task(carrier: Carrier) -> TransactionKind:
    """Returns the app's next task to activate the carrier. Raises Conflict if its state allows none."""
    kind = transactions.kind_for(carrier)
    if kind is None:
        raise Conflict(f"carrier-{carrier.state.replace('_', '-')}", _NOT_READY.get(carrier.state, _NOT_READY["revoked"]))
    return kind


def _with_parts(carrier: Carrier) -> ReadyCard:
    kind = _task(carrier)
    if (obstacle := visits.obstacle(carrier.pk)) is not None:
        raise obstacle
    orders = CardOrder.objects.select_related("office", "article")
    order = orders.filter(items__carrier=carrier, items__state=ItemState.SENT.value).first()
    if order is None:
        raise Conflict("order-not-sent", "Kortleverantören har inte rapporterat kortet som skickat. Kortet kan inte aktiveras.")
    certificates = {view.profile: view for view in pki.certificates(card_certificates.ids(carrier)) if _is_made(carrier, view)}
    later = set(card_certificates.of_eid(carrier))
    if not carrier.card_key_spki or set(certificates) | later != set(kinds.kind_of(carrier.kind).profiles()):
        message = "Kortet är inte tillverkat för den här portalen och kan inte aktiveras. Beställ ett nytt kort."
        raise Conflict("card-without-key", message)
    now = clock.now()
    if any(view.status != "issued" or view.der is None or view.not_after <= now for view in certificates.values()):
        raise Conflict("certificates-not-in-force", "Alla certifikat på kortet är inte giltiga. Kortet kan inte aktiveras.")
    needs_puk = kind is TransactionKind.ACTIVATE and kinds.kind_of(carrier.kind).needs_puk
    if needs_puk and not visits.puk_is_sealed(carrier):
        raise Conflict("puk-missing", "Portalen har inte fått kortets upplåsningskod (PUK) än. Försök igen om en stund.")
    # A reserve card that was used before still has the ended eIDs of that time.
    on_card = (
        Eid.objects.filter(carrier=carrier) if not later else Eid.objects.filter(carrier=carrier, state=EidState.ORDERED.value)
    )
    eids = list(on_card.select_related("organisation", "post__organisation", "post__person").order_by("id"))
    if not eids:
        raise Conflict("eids-changed", "Kortet har inget beställt SITHS eID. Kortet kan inte aktiveras.")
    if later and any(eid.valid_to is None or eid.valid_to <= now for eid in eids):
        raise Conflict("eid-ended", "Reservkortets tid har gått ut. Lämna ut ett nytt reservkort.")
    return ReadyCard(carrier, order, eids[0].post, eids, certificates, kind, is_certified=later <= set(certificates))


def _is_made(carrier: Carrier, view: pki.CertificateView) -> bool:
    """True unless the certificate is of keys that are made at activation and is still to be signed."""
    return view.profile not in card_certificates.of_eid(carrier) or view.status != "reserved"


_NOT_READY = {
    "ordered": "Kortet är beställt men inte skickat än. Det kan inte aktiveras.",
    "active": "Kortet är redan aktiverat.",
    "revoked": "Kortet är ogiltigt och kan inte aktiveras. Beställ ett nytt kort.",
}


def check_holder(card: ReadyCard, live: people.Live) -> None:
    """Raises Conflict unless assignment and person, as read live, still allow the card. The card is here, so an address is needed
    only for its level.
    """
    card.post.refresh_from_db()
    order_checks.require_current(card.post)
    level = card.carrier.assurance_level
    age = order_checks.age_limits().for_level(level)
    found = order_checks.obstacles(live, assurance_level=level, is_sent=False)
    for obstacle in found:
        if obstacle in _OBSTACLES:
            raise Conflict(obstacle.value, _OBSTACLES[obstacle].format(age=age, level=level))


def open_transaction(actor: Actor, card: ReadyCard, identification: Identification) -> Opened:
    """Prepares the receipt, unless the certificates that it names are made later, then opens the transaction if the card is
    unchanged. `actor` is the officer who identified the holder, or the card itself, for its holder on Mina sidor.
    """
    transaction_id, receipt_id = new_id(), new_id()
    if not card.is_certified:
        return _begin(actor, transaction_id, card, identification, None)
    is_own = actor.kind == "card"
    subject = receipts.Subject(
        receipt_id=receipt_id,
        transaction_id=transaction_id,
        carrier=card.carrier,
        order=card.order,
        eids=card.eids,
        certificates=card.certificates,
        identification=identification,
        officer=actor_of_person(person_of(identification.officer_ref)) if is_own else actor,
    )
    return _begin(actor, transaction_id, card, identification, receipts.prepare(subject))


@database.atomic(durable=True)
def _begin(
    actor: Actor, transaction_id: UUID, card: ReadyCard, identification: Identification, draft: receipts.Draft | None
) -> Opened:
    carrier = get(actor, carriers_to_activate().select_for_update(of=("self",), no_key=True), card.carrier.pk)
    now_ready = ready(carrier)
    if now_ready.receipt_values() != card.receipt_values():
        raise Conflict("carrier-changed", "Kortet har ändrats under tiden. Ladda om sidan.")
    opened = visits.open_for(
        actor,
        Function.ACTIVATE,
        carrier,
        identification,
        card.kind,
        transaction_id=transaction_id,
        terms_sha256=draft.content["terms"]["sha256"] if draft else "",
        content_sha256=draft.content_sha256 if draft else "",
        origin=settings.MINASIDOR_BASE_URL if actor.kind == "card" else "",
    )
    if draft and opened.transaction.pk == transaction_id:
        receipts.store_draft(draft, opened.transaction)
    return opened

"""The clerk's side of unlocking a card in use at a visit (Lås upp kort, rules/issuance 5.6): identification of the holder, and
the eID app transaction in which the holder chooses a new code. `activation_app` is the app's side.

The portal lets the app have the PUK only after `unlock_check` has seen the visit, in the `pki` worker. No page shows a PUK.
"""

from uuid import UUID

from django.db import transaction as database
from django.db.models import QuerySet

from issuance.activation.domain.transaction_states import OPEN, TransactionKind
from issuance.activation.models import EidAppTransaction, Identification
from issuance.activation.services import transactions, visits
from issuance.activation.services.visits import Opened, TransactionView
from issuance.authz import Actor
from issuance.carriers import services as carriers
from issuance.carriers.domain import kinds
from issuance.carriers.domain.kinds import Function
from issuance.carriers.models import Carrier
from issuance.people.ports import PersonKey
from issuance.people.services import people
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict
from siths_portal.lib.ids import new_id


def identify(*, actor: Actor, carrier_id: UUID, identity_document: str) -> Opened:
    """Records that the holder was identified and opens a transaction for the eID app. First reads the person live.

    Supersedes open transactions of the card, but raises Conflict for one that another clerk's holder has started. The same
    clerk's second click within seconds returns the same transaction with a new handle. Raises NotFound (also for a kind that is
    not unlocked), Forbidden (role, own matter), Invalid (identity document), Conflict (an obstacle), Unavailable (person
    register).
    """
    visits.require_document(identity_document)
    carrier = carriers.get(actor, Function.UNLOCK, _carriers(), carrier_id)
    _require_unlockable(carrier)
    if again := visits.second_click(actor, Function.UNLOCK, carrier_id, identity_document):
        return again
    identification = visits.identified_now(actor, carrier, identity_document)
    person_id = people.person_id_of(carrier.holder_id)
    register = people.read_register(PersonKey(person_id.kind.value, person_id.value))
    people.remember_person(person_id=carrier.holder_id, register=register)
    if register.deceased:
        raise Conflict("person-deceased", "Personen är avliden enligt personregistret. Kortet kan inte låsas upp.")
    return _open(actor, carrier.pk, identification)


def reopen(*, actor: Actor, transaction_id: UUID) -> Opened:
    """Returns a new handle for a transaction whose app window was lost, based on its existing identification.

    A transaction that the app has not started keeps its id; otherwise a new one replaces it. Raises NotFound, Forbidden (another
    clerk's), Conflict (completed, superseded, identification too old, an obstacle).
    """
    seen = visits.seen(actor, Function.UNLOCK, transaction_id)
    visits.require_reopenable(actor, seen)
    _require_unlockable(seen.carrier)
    return visits.renew(actor, Function.UNLOCK, seen.id) or _open(actor, seen.carrier_id, seen.visit)


def state(*, actor: Actor, transaction_id: UUID) -> TransactionView:
    """Returns the transaction's present state. `transaction.carrier.person` is loaded. Raises NotFound, Forbidden."""
    seen = visits.seen(actor, Function.UNLOCK, transaction_id)
    may_reopen = visits.may_reopen(actor, seen) and transactions.still_fits(seen, seen.carrier)
    current = transactions.state_now(seen)
    if may_reopen and current not in OPEN:
        may_reopen = visits.obstacle(seen.carrier_id) is None
    return TransactionView(seen, current, may_reopen, visits.reopen_until(seen))


def cancel(*, actor: Actor, transaction_id: UUID) -> EidAppTransaction:
    """Cancels an open transaction; an ended one stays as it is. Raises NotFound, Forbidden, also for another clerk's
    transaction that its holder has started.
    """
    return visits.cancel(actor=actor, function=Function.UNLOCK, transaction_id=transaction_id)


@database.atomic(durable=True)
def _open(actor: Actor, carrier_id: UUID, identification: Identification) -> Opened:
    rows = _carriers().select_for_update(of=("self",), no_key=True)
    carrier = carriers.get(actor, Function.UNLOCK, rows, carrier_id)
    _require_unlockable(carrier)
    return visits.open_for(actor, Function.UNLOCK, carrier, identification, TransactionKind.UNLOCK, transaction_id=new_id())


def _carriers() -> QuerySet[Carrier]:
    return Carrier.objects.select_related("person")


def _require_unlockable(carrier: Carrier) -> None:
    """Raises Conflict with the first reason why the card cannot be unlocked."""
    if not kinds.kind_of(carrier.kind).allows(Function.UNLOCK, carrier.state) or carrier.valid_to <= clock.now():
        raise Conflict("carrier-not-active", "Bara ett aktivt kort kan låsas upp.")
    if (found := visits.obstacle(carrier.pk)) is not None:
        if found.code != "revocation-waits":
            raise found
        message = "En spärr av kortet väntar på beslut. Kortet kan inte låsas upp innan en kollega har beslutat."
        raise Conflict("revocation-waits", message)
    if not carrier.card_key_spki or not visits.puk_is_sealed(carrier):
        message = "Portalen har inte kortets upplåsningskod (PUK). Spärra kortet och beställ ett nytt."
        raise Conflict("puk-not-kept", message)

"""The PUK of an ordered card, from the supplier's report to its seal.

`OrderItem.puk` is a copy of the `pki` worker's decision. The worker's signal, a sweeper and the supplier's next report update
it. Each change records one event of the order.
"""

from collections.abc import Iterable
from uuid import UUID

from issuance.carriers.domain import kinds
from issuance.carriers.domain.references import carrier_ref
from issuance.carriers.models import Carrier
from issuance.orders.domain.puk_states import PukState
from issuance.orders.models.orders import OrderItem
from issuance.records.models.events import Event
from issuance.suppliers.services import changes
from pki import service as pki

ACTOR = "system:puk"


def is_required(carrier: Carrier) -> bool:
    """Returns False for a kind of card without PUK, and for a card recorded by serial number alone, without keys: it cannot be
    activated here.
    """
    return kinds.kind_of(carrier.kind).needs_puk and (bool(carrier.card_key_sha256) or not carrier.card_serial)


def receive(item: OrderItem, carrier: Carrier, puk_jwe: str, *, actor_ref: str) -> UUID:
    """Passes the encrypted PUK to `pki`, marks the locked item as pending, and returns the secret's id. Raises Invalid if the
    JWE is malformed.
    """
    secret_id = pki.plan_secret(
        puk_jwe,
        expected_header={"order": str(item.order_id), "serial": carrier.card_serial},
        card_key_spki=bytes(carrier.card_key_spki),
        owner_ref=carrier_ref(carrier.id),
        actor_ref=actor_ref,
        field="puk_jwe",
    )
    _set(item, PukState.PENDING.value)
    return secret_id


def receive_none(item: OrderItem) -> None:
    """Records on the locked item that its card has no PUK."""
    _set(item, PukState.NONE.value)


def refuse(item: OrderItem, code: str) -> None:
    """Records on the locked item that a PUK was refused before `pki` accepted it; `code` is `pki`'s error."""
    refusal = code.removeprefix("jwe-")
    _set(item, PukState.REFUSED.value, refusal)
    _record(item, PukState.REFUSED.value, refusal)


def update_from_pki(item: OrderItem, carrier: Carrier) -> None:
    """Updates the locked item with `pki`'s decision on its PUK, in the caller's transaction. Repeatable."""
    if item.puk != PukState.PENDING:
        return
    state, refusal = _outcome(carrier)
    if state == PukState.PENDING:
        return
    _set(item, state, refusal)
    if state:
        _record(item, state, refusal)


def show_present_state(items: Iterable[OrderItem]) -> None:
    """Sets the PUK state of items in memory to `pki`'s present decision, for a reader that must not write. The items' carriers
    are loaded. Runs one query.
    """
    pending = [item for item in items if item.puk == PukState.PENDING]
    ids = [item.made.puk_secret_id for item in pending if item.made.puk_secret_id]
    outcomes = pki.secret_outcomes(ids) if ids else {}
    for item in pending:
        id_ = item.made.puk_secret_id
        item.puk, item.puk_refusal = _state_of(outcomes.get(id_) if id_ else None)


def blocks_sending(item: OrderItem) -> bool:
    """Returns True while the card's PUK is not sealed. Such a card cannot be activated, so it does not count as sent."""
    return item.puk in (PukState.PENDING, PukState.REFUSED)


def _outcome(carrier: Carrier) -> tuple[str, str]:
    id_ = carrier.puk_secret_id
    return _state_of(pki.secret_outcomes([id_]).get(id_) if id_ else None)


def _state_of(outcome: pki.SecretOutcome | None) -> tuple[str, str]:
    """Returns the item's PUK state and refusal for `pki`'s outcome. Both are empty for a PUK destroyed before it was opened."""
    return (_STATES[outcome.state], outcome.failure) if outcome else ("", "")


_STATES = {
    "received": PukState.PENDING.value,
    "sealed": PukState.SEALED.value,
    "refused": PukState.REFUSED.value,
    "destroyed": "",
}


def _record(item: OrderItem, state: str, refusal: str) -> None:
    facts = ({"puk_refusal": refusal} if refusal else {}) | ({"item": item.number} if item.number > 1 else {})
    Event.record(actor_ref=ACTOR, action=f"order.puk_{state}", subject_type="order", subject_ref=str(item.order_id), facts=facts)
    if state == PukState.REFUSED:
        changes.record_refused_puk(item, refusal)


def _set(item: OrderItem, state: str, refusal: str = "") -> None:
    item.puk, item.puk_refusal = state, refusal
    item.save(update_fields=["puk", "puk_refusal"])

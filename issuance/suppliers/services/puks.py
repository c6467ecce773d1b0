"""The PUK of a card on order, from the supplier's report to its seal: what the order says of it follows what `pki` made of it.

`CardOrder.puk` is a copy of what the `pki` worker decided. The worker's signal and a sweeper bring it up to date, and so does
the supplier's next report; each change of it is one event.
"""

from collections.abc import Iterable
from uuid import UUID

from issuance.carriers.domain.references import carrier_ref
from issuance.carriers.models import Carrier
from issuance.orders.domain.puk_states import PukState
from issuance.orders.models.orders import CardOrder
from issuance.records.models.events import Event
from pki import service as pki

ACTOR = "system:puk"


def is_required(carrier: Carrier) -> bool:
    """False only for a card that was recorded by its serial alone, without keys of its own: nobody activates it here."""
    return bool(carrier.card_key_sha256) or not carrier.card_serial


def receive(order: CardOrder, carrier: Carrier, puk_jwe: str, *, actor_ref: str) -> UUID:
    """Hands the PUK, still encrypted, to `pki`, and notes on the locked order that it is pending; the secret's id.

    Raises Invalid if it is not a JWE of the right form.
    """
    secret_id = pki.plan_secret(
        puk_jwe,
        expected_header={"order": str(order.id), "serial": carrier.card_serial},
        card_key_spki=bytes(carrier.card_key_spki),
        owner_ref=carrier_ref(carrier.id),
        actor_ref=actor_ref,
        field="puk_jwe",
    )
    _set(order, PukState.PENDING.value)
    return secret_id


def receive_none(order: CardOrder) -> None:
    """Notes on the locked order that its card has no PUK."""
    _set(order, PukState.NONE.value)


def refuse(order: CardOrder, code: str) -> None:
    """Notes on the locked order that a PUK was refused before `pki` took it; `code` is `pki`'s error."""
    refusal = code.removeprefix("jwe-")
    _set(order, PukState.REFUSED.value, refusal)
    _record(order, PukState.REFUSED.value, refusal)


def learn(order: CardOrder, carrier: Carrier) -> None:
    """Brings the locked order up to date with what `pki` made of its PUK. Repeatable; in the caller's transaction."""
    if order.puk != PukState.PENDING:
        return
    state, refusal = _outcome(carrier)
    if state == PukState.PENDING:
        return
    _set(order, state, refusal)
    if state:
        _record(order, state, refusal)


def look(orders: Iterable[CardOrder]) -> None:
    """Shows on orders in memory what `pki` made of their PUKs by now, for a reader that must not write; in one query."""
    pending = [order for order in orders if order.puk == PukState.PENDING]
    ids = [order.carrier.puk_secret_id for order in pending if order.carrier.puk_secret_id]
    outcomes = pki.secret_outcomes(ids) if ids else {}
    for order in pending:
        id_ = order.carrier.puk_secret_id
        order.puk, order.puk_refusal = _state_of(outcomes.get(id_) if id_ else None)


def blocks_sending(order: CardOrder) -> bool:
    """True while the card's PUK is not sealed: a card that nobody can activate does not count as sent."""
    return order.puk in (PukState.PENDING, PukState.REFUSED)


def _outcome(carrier: Carrier) -> tuple[str, str]:
    id_ = carrier.puk_secret_id
    return _state_of(pki.secret_outcomes([id_]).get(id_) if id_ else None)


def _state_of(outcome: pki.SecretOutcome | None) -> tuple[str, str]:
    """The order's PUK state and refusal after `pki`'s outcome. A PUK that was destroyed unopened leaves neither."""
    return (_STATES[outcome.state], outcome.failure) if outcome else ("", "")


_STATES = {
    "received": PukState.PENDING.value,
    "sealed": PukState.SEALED.value,
    "refused": PukState.REFUSED.value,
    "destroyed": "",
}


def _record(order: CardOrder, state: str, refusal: str) -> None:
    facts = {"puk_refusal": refusal} if refusal else {}
    Event.record(actor_ref=ACTOR, action=f"order.puk_{state}", subject_type="order", subject_ref=str(order.id), facts=facts)


def _set(order: CardOrder, state: str, refusal: str = "") -> None:
    order.puk, order.puk_refusal = state, refusal
    order.save(update_fields=["puk", "puk_refusal"])

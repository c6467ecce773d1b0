"""What an operator decides: to send stopped deliveries again, and to pause and resume the calls to a supplier."""

from uuid import UUID

from django.db import transaction

from authn import service as authn
from issuance.authz import Action, Actor, policy
from issuance.records.models.events import Event
from issuance.suppliers.push.models import PushDelivery, PushState
from issuance.suppliers.push.services import connections, outbox
from issuance.suppliers.push.services.sending import send_again
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict


def replay(*, actor: Actor, delivery_id: UUID) -> str:
    """Sends a stopped delivery again and returns its supplier. Raises Forbidden, NotFound, Conflict if it is not stopped."""
    policy.require_global(actor, Action.OPERATE_SUPPLIERS)
    with transaction.atomic(durable=True):
        delivery = PushDelivery.objects.select_for_update(no_key=True).filter(pk=delivery_id).first()
        if delivery is None:
            raise policy.not_found()
        if delivery.state != PushState.DEAD:
            raise Conflict("delivery-not-stopped", "Leveransen är inte stoppad längre. Ladda om sidan.")
        _replay(actor, delivery.supplier_ref, [delivery.pk])
        return delivery.supplier_ref


def replay_all(*, actor: Actor, client_ref: str) -> int:
    """Sends every stopped delivery of a supplier again and returns how many. Raises Forbidden, NotFound."""
    _supplier(actor, client_ref)
    with transaction.atomic(durable=True):
        dead = PushDelivery.objects.select_for_update(no_key=True).filter(supplier_ref=client_ref, state=PushState.DEAD)
        ids = list(dead.order_by("pk").values_list("pk", flat=True))
        if ids:
            _replay(actor, client_ref, ids)
    return len(ids)


def pause(*, actor: Actor, client_ref: str) -> None:
    """Stops the calls to a supplier until somebody resumes them. A paused one stays as it is. Raises Forbidden, NotFound."""
    _supplier(actor, client_ref)
    with transaction.atomic(durable=True):
        connection = connections.locked(client_ref)
        if connection.paused_at is None:
            connection.paused_at, connection.paused_by_ref = clock.now(), actor.ref
            connection.save(update_fields=["paused_at", "paused_by_ref"])
            _record(actor, "supplier.paused", client_ref, {})


def resume(*, actor: Actor, client_ref: str) -> None:
    """Lets the calls to a supplier go on. One that is not paused stays as it is. Raises Forbidden, NotFound."""
    _supplier(actor, client_ref)
    with transaction.atomic(durable=True):
        connection = connections.locked(client_ref)
        if connection.paused_at is not None:
            connection.paused_at, connection.paused_by_ref = None, ""
            connection.save(update_fields=["paused_at", "paused_by_ref"])
            _record(actor, "supplier.resumed", client_ref, {})
            outbox.wake(client_ref)


def _supplier(actor: Actor, client_ref: str) -> None:
    """Raises Forbidden, and NotFound for a supplier that takes no calls."""
    policy.require_global(actor, Action.OPERATE_SUPPLIERS)
    if client_ref not in authn.push_endpoints():
        raise policy.not_found()


def _replay(actor: Actor, client_ref: str, ids: list[UUID]) -> None:
    send_again(PushDelivery.objects.filter(pk__in=ids))
    _record(actor, "supplier.deliveries_replayed", client_ref, {"deliveries": [str(each) for each in ids]})
    outbox.wake(client_ref)


def _record(actor: Actor, action: str, client_ref: str, facts: dict[str, object]) -> None:
    Event.record(actor_ref=actor.ref, action=action, subject_type="supplier", subject_ref=client_ref, facts=facts)

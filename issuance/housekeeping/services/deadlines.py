"""Deadlines of issuance, applied each hour (rules/issuance 4.4): `run` revokes cards that were not activated or not signed for in
time, and test cards whose person is no longer booked, expires carriers, eIDs and eID orders, deletes photos of abandoned drafts,
and ends overdue eID app transactions, role requests and the unfinished work of clerks without a role. A new deadline is a further
rule in `run`, with a count in `Housekeeping` and in the dry run. A reminder changes no state and is no rule here
(docs/architecture.md, "Where to begin").
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from issuance.activation.services import activation
from issuance.authz import Action, system
from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import INVALID, CarrierAction, CarrierState
from issuance.carriers.domain.eid_states import EidAction, EidState
from issuance.carriers.domain.references import carrier_ref
from issuance.carriers.models import Carrier, Eid
from issuance.mobile.services import ending as mobile_ending
from issuance.orders.services import booked_test_persons, draft_photos, eid_orders
from issuance.people.models.persons import PersonIdentifier
from issuance.records.services import steps
from issuance.reserve_cards.services import approving
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services import certificate_revocation
from issuance.revocation.services.revocation import revoke_locked
from issuance.roles.services import ended_roles, role_requests
from pki import service as pki
from siths_portal.lib import clock

BATCH = 200


@dataclass(frozen=True)
class Housekeeping:
    """The number of rows that each rule changed.

    `certificates_revoked` counts carriers revoked because `pki` had revoked their certificates; a dry run does not count them.
    `draft_photos` counts abandoned order drafts whose photo was deleted, `transactions_ended` overdue eID app transactions,
    `hand_outs_ended` reserve cards on level 3 without a second officer in time,
    `roles_ended` activations and order drafts of clerks whose role has ended, `role_requests` requests for a role that nobody
    decided in time, `eid_orders` eID orders that no holder fetched in time, `test_cards` test cards of persons who are no longer
    booked, `enrolments_ended` overdue enrolments of mobile eIDs.
    """

    not_activated: int
    not_signed: int
    carriers_expired: int
    eids_expired: int
    certificates_revoked: int = 0
    draft_photos: int = 0
    transactions_ended: int = 0
    hand_outs_ended: int = 0
    roles_ended: int = 0
    role_requests: int = 0
    eid_orders: int = 0
    test_cards: int = 0
    enrolments_ended: int = 0


def run(*, dry_run: bool = False, batch: int = BATCH) -> Housekeeping:
    """Applies every rule, `batch` rows in a transaction; with `dry_run` only counts. A second run finds nothing. Skips rows
    that another transaction has locked; the next run takes them.
    """
    if dry_run:
        return Housekeeping(
            Carrier.objects.filter(not_activated_in_time()).count(),
            Carrier.objects.filter(_not_signed_in_time()).count(),
            Carrier.objects.filter(_carrier_ended()).count(),
            Eid.objects.filter(_eid_ended()).count(),
            draft_photos=draft_photos.stale_count(),
            transactions_ended=activation.overdue_count(),
            hand_outs_ended=approving.overdue_count(),
            roles_ended=ended_roles.sweep(dry_run=True),
            role_requests=role_requests.expire(dry_run=True),
            eid_orders=eid_orders.overdue_count(),
            test_cards=Carrier.objects.filter(_not_booked()).count(),
            enrolments_ended=mobile_ending.overdue_count(),
        )
    return Housekeeping(
        not_activated=_until_empty(
            lambda: _revoke("not-activated-in-time", RevocationReason.NOT_ACTIVATED, not_activated_in_time(), batch)
        ),
        not_signed=_until_empty(lambda: _revoke("receipt-not-signed", RevocationReason.NOT_SIGNED, _not_signed_in_time(), batch)),
        carriers_expired=_until_empty(lambda: _expire_carriers(batch)),
        eids_expired=_until_empty(lambda: _expire_eids(batch)),
        certificates_revoked=certificate_revocation.sweep(),
        draft_photos=draft_photos.forget_photos(batch=batch),
        transactions_ended=_until_empty(lambda: activation.end_overdue(batch=batch)),
        hand_outs_ended=_until_empty(lambda: approving.end_overdue(batch=batch)),
        roles_ended=ended_roles.sweep(),
        role_requests=role_requests.expire(),
        eid_orders=_until_empty(lambda: eid_orders.expire_overdue(batch=batch)),
        test_cards=_revoke_test_cards(batch),
        enrolments_ended=_until_empty(lambda: mobile_ending.end_overdue(batch=batch)),
    )


def not_activated_in_time() -> Q:
    """Selects cards that were sent to their holders more than the allowed calendar days ago, and reserve cards that were handed
    out and have no eID left to activate: it ended or was revoked before the activation. The last day counts to its end in
    Stockholm. A reserve card that is sent has no holder who could activate it.
    """
    waiting = Eid.objects.filter(carrier=OuterRef("pk"), state=EidState.ORDERED.value, valid_to__gt=clock.now())
    return Q(state=CarrierState.SENT.value, person__isnull=False, sent_at__lt=_days_back(settings.NOT_ACTIVATED_DAYS)) | Q(
        ~Exists(waiting), state=CarrierState.RESERVED.value
    )


def _not_signed_in_time() -> Q:
    return Q(state=CarrierState.ACTIVATED_UNSIGNED.value, code_set_at__lt=_days_back(settings.NOT_SIGNED_DAYS))


def _carrier_ended() -> Q:
    return Q(state=CarrierState.ACTIVE.value, valid_to__lte=clock.now())


def _eid_ended() -> Q:
    return Q(state=EidState.ACTIVE.value, valid_to__lte=clock.now())


def _not_booked() -> Q:
    """Selects valid test cards of persons who are not booked today; none if the list of bookings says nothing."""
    booked = booked_test_persons.all_booked()
    if booked is None:
        return Q(pk__in=[])
    known = PersonIdentifier.objects.filter(person=OuterRef("person"), value__in=booked)
    of_test_persons = kinds.codes(lambda kind: kind.for_test_persons)
    return Q(kind__in=of_test_persons) & ~Q(state__in=INVALID) & ~Q(Exists(known))


def _revoke_test_cards(batch: int) -> int:
    """Revokes them, by one reading of the list for all batches."""
    unbooked = _not_booked()
    reason = RevocationReason.ASSIGNMENT_ENDED
    return _until_empty(lambda: _revoke("test-person-not-booked", reason, unbooked, batch))


def _days_back(days: int) -> dt.datetime:
    """Returns the moment before which an event is more than `days` calendar days old in Stockholm."""
    return clock.start_of_day(clock.today() - dt.timedelta(days=days))


def _until_empty(apply_batch: Callable[[], int]) -> int:
    total = 0
    while changed := apply_batch():
        total += changed
    return total


@transaction.atomic(durable=True)
def _revoke(rule: str, reason: RevocationReason, overdue: Q, batch: int) -> int:
    actor = system(rule)
    rows = Carrier.objects.visible_to(actor, Action.REVOKE_CARRIER).filter(overdue).order_by("id")
    carriers = list(rows.select_for_update(skip_locked=True, no_key=True)[:batch])
    if carriers:
        revoke_locked(carriers, actor=actor, reason=reason)
    return len(carriers)


@transaction.atomic(durable=True)
def _expire_carriers(batch: int) -> int:
    actor = system("expiry")
    rows = Carrier.objects.visible_to(actor, Action.EXPIRE).filter(_carrier_ended()).order_by("id")
    carriers = list(rows.select_for_update(skip_locked=True, no_key=True)[:batch])
    ids = [carrier.id for carrier in carriers]
    eids = Eid.objects.select_for_update(no_key=True).filter(carrier__in=ids, state=EidState.ACTIVE.value).order_by("id")
    with_secret = [carrier.id for carrier in carriers if carrier.puk_secret_id is not None]
    now = clock.now()
    steps.step(carriers, CarrierAction.EXPIRE, actor_ref=actor.ref, ended_at=now, puk_secret_id=None)
    steps.step(list(eids), EidAction.EXPIRE, actor_ref=actor.ref, ended_at=now)
    for carrier_id in with_secret:
        pki.destroy_secrets(carrier_ref(carrier_id), actor_ref=actor.ref)
    return len(carriers)


@transaction.atomic(durable=True)
def _expire_eids(batch: int) -> int:
    actor = system("expiry")
    rows = Eid.objects.visible_to(actor, Action.EXPIRE).filter(_eid_ended()).select_related("carrier").order_by("id")
    eids = list(rows.select_for_update(of=("self", "carrier"), skip_locked=True, no_key=True)[:batch])
    steps.step(eids, EidAction.EXPIRE, actor_ref=actor.ref, ended_at=clock.now())
    return len(eids)

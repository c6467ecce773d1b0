"""A holder unlocks a card of theirs with another carrier on level 3, without a visit (rules/issuance 10.6).

The holder first signs with the other carrier, then chooses a new code for the locked card, both in the eID app. The portal lets
the app have the PUK only after `issuance.activation.services.unlock_check` has verified the signature, in the `pki` worker.
"""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import transaction as database
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from issuance.activation.domain import own_unlocking
from issuance.activation.domain.transaction_states import OPEN, TransactionAction, TransactionKind, TransactionState
from issuance.activation.models import EidAppTransaction, Statement
from issuance.activation.services import statements, transactions, visits
from issuance.activation.services.visits import Opened
from issuance.authz import Action, Actor, policy
from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.kinds import Function
from issuance.carriers.models import Carrier
from issuance.notices.models import NoticeAbout
from issuance.notices.services import notices
from issuance.people.models.persons import Person
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, NotFound, TooManyRequests
from siths_portal.lib.ids import new_id

MOST_A_DAY = 5
"""How often the holder may begin to unlock a card in 24 hours."""

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Lockable:
    """An active ordinary card of the holder, and whether they have another carrier to unlock it with."""

    id: UUID
    last: str
    signer_last: str

    @property
    def has_signer(self) -> bool:
        """True if the holder has another carrier that may sign."""
        return bool(self.signer_last)


@dataclass(frozen=True)
class Progress:
    """An eID app transaction of an unlocking by its holder, and its state now. `is_signing` is the first of the two steps.

    `carrier` is the card in the reader, `locked` the card that is unlocked. `unlocking_id` is the second step's transaction, None
    before it is opened.
    """

    transaction: EidAppTransaction
    state: TransactionState
    is_signing: bool
    locked: Carrier
    unlocking_id: UUID | None

    @property
    def carrier(self) -> Carrier:
        """The card that the holder puts in the reader."""
        return self.transaction.carrier

    @property
    def is_open(self) -> bool:
        """True while the transaction can still continue."""
        return self.state in OPEN


def lockable(actor: Actor) -> list[Lockable]:
    """Returns the holder's cards that can be unlocked. Runs two queries."""
    signers = list(_signers(actor))
    cards = Carrier.objects.visible_to(actor).filter(state=CarrierState.ACTIVE.value, valid_to__gt=clock.now())
    able = kinds.codes(lambda kind: kind.rule(Function.UNLOCK) is not None)
    found = []
    for card in cards.filter(kind__in=able).exclude(card_serial="").exclude(puk_secret_id=None).order_by("-created_at", "-id"):
        other = next((each for each in signers if each.pk != card.pk), None)
        found.append(Lockable(card.pk, card.card_serial[-4:], other.card_serial[-4:] if other else ""))
    return found


@database.atomic(durable=True)
def ask(*, actor: Actor, carrier_id: UUID) -> Opened:
    """Opens the transaction in which the holder signs, with another carrier of theirs, that the card is to be unlocked.

    Raises NotFound, Conflict (a card that cannot be unlocked, no other carrier, an errand under way), TooManyRequests.
    """
    # One at a time for each holder, without locking two cards in an order that another request has the other way round.
    list(Person.objects.select_for_update(no_key=True).filter(pk=_person(actor)).values_list("id"))
    carrier = policy.get(actor, Action.VIEW, Carrier.objects.all(), carrier_id)
    _require_unlockable(carrier)
    signer = _signers(actor).exclude(pk=carrier.pk).first()
    if signer is None:
        message = _("Du behöver ett annat giltigt kort på tillitsnivå 3. Ta annars med kortet till en ID-administratör.")
        raise Conflict("no-other-carrier", message)
    _require_not_too_often(actor, carrier)
    content = own_unlocking.content(
        carrier_id=carrier.pk, card_serial=carrier.card_serial, person_id=carrier.holder_id, at=clock.now()
    )
    text = _("Jag vill låsa upp kortet som slutar på {last} och välja en ny kod för det.")
    summary = text.format(last=carrier.card_serial[-4:])
    return statements.open_for(
        actor, own_unlocking.PURPOSE, carrier.pk, content, summary, card=signer, origin=settings.MINASIDOR_BASE_URL
    )


def seen(*, actor: Actor, transaction_id: UUID) -> Progress:
    """Returns one step of an unlocking that the holder began. Raises NotFound for anything else."""
    rows = EidAppTransaction.objects.select_related("carrier", "statement__unlocking", "ground")
    row = rows.filter(pk=transaction_id, officer_ref=actor.ref).first() if actor.kind == "holder" else None
    statement = None if row is None else (row.ground or getattr(row, "statement", None))
    if row is None or statement is None or statement.purpose != own_unlocking.PURPOSE:
        raise NotFound("not-found", _("Upplåsningen finns inte."))
    is_signing = row.ground_id is None
    locked = Carrier.objects.get(pk=statement.subject_ref) if is_signing else row.carrier
    opened = getattr(statement, "unlocking", None)
    return Progress(row, transactions.state_now(row), is_signing, locked, opened.pk if opened else None)


def renew(*, actor: Actor, transaction_id: UUID) -> Opened:
    """Returns a new handle for a step that waits for the app. Raises NotFound, Conflict if it no longer waits."""
    found = seen(actor=actor, transaction_id=transaction_id)
    with database.atomic(durable=True):
        _carrier, row = transactions.locked_with_carrier(found.transaction)
        if transactions.state_now(row) is not TransactionState.CREATED:
            raise Conflict("not-waiting", _("Appen är redan öppnad, eller så har tiden gått ut."))
        return visits.give_handle(actor, row)


@database.atomic(durable=True)
def unlock(*, actor: Actor, transaction_id: UUID) -> Opened:
    """Opens the transaction in which the holder chooses a new code for the locked card, once for each signed statement.

    A second click gets the same transaction with a new handle. Queues the notice to the holder, who is told of it before anybody
    can get the PUK. Raises NotFound, Conflict (not signed, too old, used, the card).
    """
    found = seen(actor=actor, transaction_id=transaction_id)
    rows = Carrier.objects.select_for_update(of=("self",), no_key=True)
    carrier = policy.get(actor, Action.VIEW, rows, found.locked.pk)
    statement = Statement.objects.select_for_update(of=("self",)).filter(pk=transaction_id, signed_at__isnull=False).first()
    if statement is None:
        raise Conflict("not-signed", _("Skriv under med ditt andra kort först."))
    _require_unlockable(carrier)
    again = EidAppTransaction.objects.select_for_update(of=("self",), no_key=True).filter(ground=statement).first()
    if again is not None and transactions.state_now(again) is TransactionState.CREATED:
        return visits.give_handle(actor, again)
    if again is not None or not own_unlocking.counts(statement.content, clock.now()):
        raise Conflict("statement-used", _("Underskriften gäller inte längre. Börja om och skriv under igen."))
    visits.supersede_earlier(actor, carrier)
    row, handle = transactions.begin(
        TransactionKind.UNLOCK,
        carrier,
        None,
        officer_ref=actor.ref,
        transaction_id=new_id(),
        origin=settings.MINASIDOR_BASE_URL,
        ground=statement,
    )
    notices.queue_about_carrier(carrier, NoticeAbout.UNLOCKED)
    return Opened(row, handle)


@database.atomic(durable=True)
def cancel(*, actor: Actor, transaction_id: UUID) -> None:
    """Cancels an open step; an ended one stays as it is. Raises NotFound."""
    found = seen(actor=actor, transaction_id=transaction_id)
    _carrier, row = transactions.locked_with_carrier(found.transaction)
    if TransactionState(row.state) in OPEN:
        transactions.end(row, TransactionAction.CANCEL, actor_ref=actor.ref, facts={"by": "holder"})


def require_signer(statement: Statement) -> None:
    """Raises Conflict unless the holder's statement still counts and the locked card can still be unlocked."""
    if not own_unlocking.counts(statement.content, clock.now()):
        raise Conflict("statement-used", "Underskriften gäller inte längre. Börja om på Mina sidor.")
    _require_unlockable(Carrier.objects.get(pk=statement.subject_ref))


def signed(statement: Statement) -> None:
    """Does nothing more: the holder opens the next step on Mina sidor."""


def _signers(actor: Actor) -> QuerySet[Carrier]:
    """Returns the holder's carriers that may sign, the newest first."""
    rows = Carrier.objects.visible_to(actor).filter(
        kind__in=list(own_unlocking.PROFILES),
        origin="portal",
        state=CarrierState.ACTIVE.value,
        assurance_level__gte=own_unlocking.LEVEL,
        valid_to__gt=clock.now(),
    )
    return rows.exclude(card_serial="").order_by("-activated_at", "-id")


def _require_unlockable(carrier: Carrier) -> None:
    """Raises Conflict with the first reason why the holder cannot unlock the card."""
    if not kinds.kind_of(carrier.kind).allows(Function.UNLOCK, carrier.state) or carrier.valid_to <= clock.now():
        raise Conflict("carrier-not-active", _("Bara ett ordinarie kort som är aktivt kan låsas upp."))
    if visits.obstacle(carrier.pk) is not None:
        raise Conflict("card-stopped", _("Kortet kan inte låsas upp just nu. Kontakta en ID-administratör."))
    if not carrier.card_key_spki or not visits.puk_is_sealed(carrier):
        message = _("Kortet kan inte låsas upp här. Ta med kortet till en ID-administratör.")
        raise Conflict("puk-not-kept", message)


def _require_not_too_often(actor: Actor, carrier: Carrier) -> None:
    """Raises TooManyRequests if the holder has begun to unlock the locked card MOST_A_DAY times in 24 hours."""
    begun = Statement.objects.filter(
        purpose=own_unlocking.PURPOSE,
        subject_ref=carrier.pk,
        transaction__officer_ref=actor.ref,
        transaction__created_at__gt=clock.now() - _DAY,
    )
    if begun.count() >= MOST_A_DAY:
        message = _("Du har försökt för många gånger i dag. Ta med kortet till en ID-administratör.")
        raise TooManyRequests("unlocking-too-often", message, retry_after=int(_DAY.total_seconds()))


def _person(actor: Actor) -> UUID:
    """Returns the holder's id. Raises NotFound for an actor that is no person."""
    if actor.person_id is None:
        raise policy.not_found()
    return actor.person_id

"""The second officer's part of a reserve card on level 3: a check of their own, and a signature with their own card."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction as database
from django.db.models import QuerySet

from issuance.activation.domain.card_checks import CardAnswer, check
from issuance.activation.domain.identity_documents import FULL
from issuance.activation.domain.transaction_states import OPEN as UNENDED
from issuance.activation.domain.transaction_states import TransactionAction
from issuance.activation.models import EidAppTransaction, Statement
from issuance.activation.services import statements, transactions, visits
from issuance.activation.services.visits import Opened
from issuance.authz import Action, Actor, policy
from issuance.carriers.models import Carrier
from issuance.people.models.persons import Person
from issuance.records.services import steps
from issuance.reserve_cards.domain import OPEN, RIGHTS, IssueAction, IssueState, Part
from issuance.reserve_cards.models import ReserveCardIssue
from issuance.reserve_cards.services import binding, contents, handing_out
from issuance.roles.services.actors import actor_of_person
from issuance.roles.services.subjects import person_of
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid

PURPOSE = "reserve_card_second"
"""The purpose of the second officer's statement."""

PURPOSES = (handing_out.PURPOSE, PURPOSE)
SYSTEM = "system:reserve-cards"
BATCH = 200
SHORTEST_REASON, LONGEST_REASON = 5, 300


def waiting_issue(*, actor: Actor, issue_id: UUID) -> ReserveCardIssue:
    """Returns a hand-out that `actor` may approve or reject by right, in any state. Raises NotFound, Forbidden (role, own card,
    own hand-out).
    """
    found = policy.get(actor, Action.APPROVE_RESERVE_CARD, _issues(), issue_id)
    if found.officer_ref == actor.ref:
        message = "Du har själv identifierat personen. En annan ska kontrollera."
        raise Forbidden("own-reserve-issue", message)
    return found


def approve(*, actor: Actor, issue_id: UUID, serial: str, identity_document: str) -> Opened:
    """Opens the transaction in which the second officer signs with their own card. The card is bound when they have signed.

    `serial` is the envelope's number as scanned, or its last four digits. Raises NotFound, Forbidden, Invalid (the envelope, the
    document), Conflict (no longer waiting, no own card to sign with).
    """
    visits.require_document(identity_document, FULL)
    issue = waiting_issue(actor=actor, issue_id=issue_id)
    if check(serial, issue.carrier.card_serial) is not CardAnswer.RIGHT:
        message = "Numret är inte kuvertets. Skanna kuvertet, eller skriv serienumrets 4 sista siffror."
        raise Invalid("wrong-envelope", message, fields={"serial": [message]})
    _require_waiting(issue)
    with database.atomic(durable=True):
        content = contents.of(issue, Part.SECOND, actor, identity_document)
        summary = contents.summary(issue, Part.SECOND, identity_document)
        return statements.open_for(actor, PURPOSE, issue.pk, content, summary)


@database.atomic(durable=True)
def reject(*, actor: Actor, issue_id: UUID, reason: str) -> ReserveCardIssue:
    """Rejects a hand-out. The card stays in stock. Raises NotFound, Forbidden, Invalid (field reason), Conflict."""
    waiting_issue(actor=actor, issue_id=issue_id)
    reason = " ".join(reason.split())
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON:
        message = f"Skriv varför utlämningen avvisas, med {SHORTEST_REASON}–{LONGEST_REASON} tecken."
        raise Invalid("rejection", message, fields={"reason": [message]})
    opened = _lock_statements(issue_id)
    issue = _locked(issue_id)
    _require_waiting(issue)
    changes = {"approver_ref": actor.ref, "rejection": reason, "ended_at": clock.now()}
    steps.step([issue], IssueAction.REJECT, actor_ref=actor.ref, facts={"justification": reason}, **changes)
    _end_statements(opened, actor_ref=actor.ref)
    return issue


@database.atomic(durable=True)
def withdraw(*, actor: Actor, issue_id: UUID) -> ReserveCardIssue:
    """Cancels an own hand-out that is not bound; an ended one stays as it is. Raises NotFound for another officer's."""
    rows = ReserveCardIssue.objects.filter(officer_ref=actor.ref)
    policy.get(actor, RIGHTS[3], rows, issue_id)
    opened = _lock_statements(issue_id)
    issue = _locked(issue_id)
    if IssueState(issue.state) in OPEN:
        steps.step([issue], IssueAction.CANCEL, actor_ref=actor.ref, ended_at=clock.now())
        _end_statements(opened, actor_ref=actor.ref)
    return issue


def end_overdue(*, batch: int = BATCH) -> int:
    """Ends hand-outs that got no second officer in time, each in its own transaction. Returns how many. Repeatable."""
    ids = list(_overdue().order_by("waiting_until", "id").values_list("id", flat=True)[:batch])
    return sum(_expire(issue_id) for issue_id in ids)


def overdue_count() -> int:
    """Returns how many hand-outs `end_overdue` would end."""
    return _overdue().count()


def _overdue() -> QuerySet[ReserveCardIssue]:
    return ReserveCardIssue.objects.filter(state__in=[state.value for state in OPEN], waiting_until__lte=clock.now())


@database.atomic(durable=True)
def _expire(issue_id: UUID) -> bool:
    opened = _lock_statements(issue_id)
    issue = _locked(issue_id)
    if IssueState(issue.state) not in OPEN or issue.waiting_until is None or issue.waiting_until > clock.now():
        return False
    steps.step([issue], IssueAction.EXPIRE, actor_ref=SYSTEM, ended_at=clock.now())
    _end_statements(opened, actor_ref=SYSTEM)
    return True


# --- the second officer's statement ----------------------------------------------------------------------------------------


def require_second(statement: Statement) -> None:
    """Raises Conflict, NotFound or Forbidden unless the second officer may still sign, and the first may still hand out."""
    issue = _issues().get(pk=statement.subject_ref)
    _require_waiting(issue)
    second = actor_of_person(person_of(statement.transaction.officer_ref))
    waiting_issue(actor=second, issue_id=issue.pk)
    first = actor_of_person(person_of(issue.officer_ref))
    if not policy.may(first, RIGHTS[issue.assurance_level], issue.post):
        message = "Den första personen har inte längre behörighet. Avvisa utlämningen och börja om."
        raise Conflict("first-officer-not-allowed", message)


def second_signed(statement: Statement) -> None:
    """Binds the card to the person, in the transaction that stores the signature. Raises Conflict if the card cannot be bound."""
    seen = ReserveCardIssue.objects.only("person_id", "carrier_id").get(pk=statement.subject_ref)
    list(Person.objects.select_for_update(no_key=True).filter(pk=seen.person_id).values_list("id"))
    carrier = Carrier.objects.select_for_update(of=("self",), no_key=True).get(pk=seen.carrier_id)
    issue = _locked(seen.pk)
    _require_waiting(issue)
    binding.require_still_usable(carrier, issue.post)
    second = statement.transaction.officer_ref
    if person_of(second) in (person_of(issue.officer_ref), issue.person_id):
        raise Conflict("three-persons", "Innehavaren och de två handläggarna ska vara tre olika personer.")
    now = clock.now()
    eid = binding.bind(issue, carrier, actor_ref=second)
    document = str(statement.content["identity_document"])
    identification = handing_out.identified(actor_of_person(person_of(second)), carrier, document)
    steps.step(
        [issue],
        IssueAction.APPROVE,
        actor_ref=second,
        facts={"transaction": str(statement.pk), "officer": issue.officer_ref, "eid": str(eid.pk)},
        eid=eid,
        approver_ref=second,
        approver_document=document,
        identification=identification,
        second_statement=statement,
        ended_at=now,
    )


def _issues() -> QuerySet[ReserveCardIssue]:
    return ReserveCardIssue.objects.select_related("carrier", "person", "post__organisation")


def _locked(issue_id: UUID) -> ReserveCardIssue:
    return _issues().select_for_update(of=("self",), no_key=True).get(pk=issue_id)


def _require_waiting(issue: ReserveCardIssue) -> None:
    if issue.state != IssueState.WAITING or issue.waiting_until is None or issue.waiting_until <= clock.now():
        raise contents.ended()


def _lock_statements(issue_id: UUID) -> list[EidAppTransaction]:
    """Locks and returns the open transactions in which officers would sign the hand-out, their cards first. The hand-out is
    locked after them, as when a statement is signed. One that is opened later is refused when it is signed.
    """
    rows = EidAppTransaction.objects.filter(
        statement__subject_ref=issue_id, statement__purpose__in=PURPOSES, state__in=[state.value for state in UNENDED]
    )
    carriers = Carrier.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=rows.values("carrier"))
    list(carriers.order_by("pk").values_list("pk", flat=True))
    return list(rows.select_for_update(of=("self",), no_key=True).order_by("pk"))


def _end_statements(opened: Sequence[EidAppTransaction], *, actor_ref: str) -> None:
    for row in opened:
        transactions.end(row, TransactionAction.CANCEL, actor_ref=actor_ref, facts={"by": "reserve-issue-ended"})

"""A suspected false document at a visit (rules/issuance 5.9): an officer reports it, a responsible issuer judges it."""

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction as database
from django.db.models import Case, OuterRef, Q, QuerySet, Subquery, Value, When
from django.utils.translation import gettext_noop as _

from issuance.activation.domain.identity_documents import ATTESTATION, DOCUMENTS, FALSE, GENUINE, JUDGEMENT
from issuance.activation.domain.transaction_states import TransactionAction
from issuance.activation.models import DocumentJudgement, DocumentSuspicion
from issuance.activation.services import transactions, visits
from issuance.authz import Action, Actor, policy
from issuance.carriers.models import Carrier
from issuance.records.models.events import Event
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid

SHORTEST, LONGEST = 10, 500
"""The characters of what an officer saw, and of the reason of a judgement."""

CODES = tuple(code for code in DOCUMENTS if code != ATTESTATION)
"""The documents of which one may be suspected."""

SUSPECTED, FALSE_DOCUMENT = "document-suspected", "document-false"

STOPS: Mapping[str, str] = {
    SUSPECTED: _("En misstanke om falsk id-handling utreds. Vänta tills ansvarig utgivare har bedömt den."),
    FALSE_DOCUMENT: _("Id-handlingen vid besöket var falsk. Kortet kan inte användas. Spärra det."),
}
"""What stops the activation and unlocking of a card, in words."""


def to_report(*, actor: Actor, carrier_id: UUID) -> Carrier:
    """Returns the card about whose visit `actor` may report a document. Raises NotFound, Forbidden (role, own card)."""
    carrier: Carrier = policy.get(actor, Action.REPORT_DOCUMENT, _carriers(), carrier_id)
    return carrier


@database.atomic(durable=True)
def report(*, actor: Actor, carrier_id: UUID, identity_document: str, observed: str) -> DocumentSuspicion:
    """Records the suspicion, and ends what is open in the eID app for the person's cards. A repetition while it is not judged
    returns the first one. Raises NotFound, Forbidden, Invalid (fields identity_document, observed).
    """
    visits.require_document(identity_document, CODES)
    text = _text(observed, "observed", "Beskriv vad du såg")
    seen = to_report(actor=actor, carrier_id=carrier_id)
    of_person = Carrier.objects.select_for_update(of=("self",), no_key=True).filter(person=seen.holder_id)
    carriers = list(of_person.order_by("pk").values_list("pk", flat=True))
    if known := DocumentSuspicion.objects.filter(carrier=carrier_id, judgement=None).first():
        return known
    made = DocumentSuspicion.objects.create(
        carrier_id=carrier_id, officer_ref=actor.ref, identity_document=identity_document, observed=text, at=clock.now()
    )
    _record(actor, "holder.document_suspected", made, justification=text)
    transactions.end_of_carriers(carriers, TransactionAction.FAIL, actor_ref=actor.ref, facts={"reason": SUSPECTED})
    return made


def to_judge(*, actor: Actor, suspicion_id: UUID) -> DocumentSuspicion:
    """Returns a suspicion that `actor` may judge, judged or not. Raises NotFound, Forbidden (role, own card)."""
    rows = DocumentSuspicion.objects.select_related("carrier__person", "carrier__organisation", "judgement")
    found: DocumentSuspicion = policy.get(actor, Action.JUDGE_DOCUMENT, rows, suspicion_id)
    return found


@database.atomic(durable=True)
def judge(*, actor: Actor, suspicion_id: UUID, judgement: str, reason: str) -> DocumentJudgement:
    """Judges a suspicion: after `genuine` the person's cards are activated and unlocked again, after `false` this card never is.
    The issuer revokes it. Raises NotFound, Forbidden, Invalid (fields judgement, reason), Conflict if it is judged already.
    """
    found = to_judge(actor=actor, suspicion_id=suspicion_id)
    if judgement not in JUDGEMENT:
        message = "Välj vad du har kommit fram till."
        raise Invalid("document-judgement", message, fields={"judgement": [message]})
    text = _text(reason, "reason", "Skriv vad du har kommit fram till och varför")
    Carrier.objects.select_for_update(of=("self",), no_key=True).get(pk=found.carrier_id)
    if DocumentJudgement.objects.filter(pk=found.pk).exists():
        raise Conflict("document-judged", "Misstanken är redan bedömd. Ladda om sidan.")
    made = DocumentJudgement.objects.create(
        suspicion=found, officer_ref=actor.ref, is_false=judgement == FALSE, reason=text, at=clock.now()
    )
    _record(actor, "holder.document_judged", found, justification=text, document_judgement=FALSE if made.is_false else GENUINE)
    return made


def stops(person: OuterRef | Subquery, carrier: OuterRef | UUID) -> QuerySet[DocumentSuspicion]:
    """Returns what stops the activation and unlocking of a card of a person: a suspicion about the person that is not judged, or
    a document that was false when this card was to be activated or unlocked.
    """
    found = Q(carrier__person=person, judgement=None) | Q(carrier=carrier, judgement__is_false=True)
    return DocumentSuspicion.objects.filter(found)


def stop_code(person: OuterRef, carrier: OuterRef) -> Subquery:
    """Returns, for an annotation, the key of `STOPS` of a card by the newest row of `stops`, None if nothing stops it."""
    code = Case(When(judgement__isnull=True, then=Value(SUSPECTED)), default=Value(FALSE_DOCUMENT))
    return Subquery(stops(person, carrier).order_by("-at").annotate(code=code).values("code")[:1])


def stopping(carrier_id: UUID) -> DocumentSuspicion | None:
    """Returns the newest row of `stops` of a card, or None if nothing stops it."""
    person = Subquery(Carrier.objects.filter(pk=carrier_id, person__isnull=False).values("person")[:1])
    return stops(person, carrier_id).select_related("judgement").order_by("-at").first()


def obstacle(carrier_id: UUID) -> Conflict | None:
    """Returns the error for activating or unlocking a card that `stopping` stops, else None."""
    found = stopping(carrier_id)
    if found is None:
        return None
    code = FALSE_DOCUMENT if is_judged(found) else SUSPECTED
    return Conflict(code, STOPS[code])


def is_judged(suspicion: DocumentSuspicion) -> bool:
    """Returns whether a responsible issuer has judged it."""
    return getattr(suspicion, "judgement", None) is not None


def _text(text: str, field: str, what: str) -> str:
    text = " ".join(text.split())
    if not SHORTEST <= len(text) <= LONGEST:
        message = f"{what}, med {SHORTEST}–{LONGEST} tecken."
        raise Invalid(f"document-{field}", message, fields={field: [message]})
    return text


def _record(actor: Actor, action: str, row: DocumentSuspicion, **facts: str) -> None:
    about = {"document_suspicion": str(row.pk), "suspected_document": row.identity_document}
    Event.record(actor_ref=actor.ref, action=action, subject_type="carrier", subject_ref=str(row.carrier_id), facts=about | facts)


def _carriers() -> QuerySet[Carrier]:
    return Carrier.objects.filter(person__isnull=False).select_related("person", "organisation").defer("card_key_spki")

"""What the two officers of a reserve card on level 3 sign, from the hand-out's rows: the same for portal and `pki` worker."""

from issuance.activation.domain.identity_documents import IDENTITY_DOCUMENT
from issuance.authz import Actor
from issuance.orders.services.order_checks import common_name
from issuance.people.services import people
from issuance.records.domain import wording
from issuance.reserve_cards import domain
from issuance.reserve_cards.domain import Facts, Part
from issuance.reserve_cards.models import ReserveCardIssue
from siths_portal.lib.errors import Conflict


def facts_of(issue: ReserveCardIssue, person_id: str) -> Facts:
    """Returns the signed facts of a hand-out. `person_id` is the person's current number."""
    return Facts(
        issue=str(issue.pk),
        card_serial=issue.carrier.card_serial,
        person=str(issue.person_id),
        person_id=person_id,
        hsa_id=issue.post.hsa_id,
        organisation=str(issue.post.organisation_id),
        assurance_level=issue.assurance_level,
        valid_to=issue.valid_to,
    )


def of(issue: ReserveCardIssue, part: Part, officer: Actor, identity_document: str) -> dict[str, object]:
    """Returns what the officer signs. Raises Conflict if the person has no current number."""
    facts = facts_of(issue, people.person_id_of(issue.person_id).value)
    return domain.content(facts, part=part, officer=str(officer.person_id), identity_document=identity_document)


def summary(issue: ReserveCardIssue, part: Part, identity_document: str = "") -> str:
    """Returns the same in words, for the officer to read in the app before signing."""
    document = wording.label(IDENTITY_DOCUMENT, identity_document or issue.identity_document)
    number = people.person_id_of(issue.person_id)
    own = "Jag har identifierat personen" if part is Part.FIRST else "Jag har själv kontrollerat personen"
    return "\n\n".join(
        (
            f"Reservkort {wording.card_serial(issue.carrier.card_serial)} lämnas ut på tillitsnivå {issue.assurance_level}.",
            f"Innehavare: {common_name(issue.person)}, {wording.person_number(number.kind.value, number.value)}.",
            f"Uppdrag: {issue.post.organisation.name}, {issue.post.hsa_id}.",
            f"Gäller till och med {wording.last_day(issue.valid_to)}.",
            f"{own} med en giltig id-handling ({document}), och kuvertet är obrutet.",
        )
    )


def ended() -> Conflict:
    """Returns the error for a hand-out that no longer waits."""
    return Conflict("reserve-issue-ended", "Utlämningen väntar inte längre. Gå tillbaka till portalen och se hur det gick.")

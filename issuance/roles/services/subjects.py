"""Maps logins on the portal to persons (port `authn.ports.SubjectDirectory`): HSA-id and number belong to one person, who has a
role. `minasidor.services.holders` does it for Mina sidor.
"""

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q, QuerySet

from authn.ports import Advice, Credential, Subject, SubjectUnknown
from issuance.authz import Actor, card, holder
from issuance.authz.actor import CARD_PREFIX, HOLDER_PREFIX, USER_PREFIX
from issuance.people.models.persons import PersonIdentifier, Post
from issuance.roles.services import no_access
from issuance.roles.services.actors import actor_of_person
from siths_portal.lib import clock
from siths_portal.lib.assurance import Level

NUMBERS = ("personnummer", "samordningsnummer")
"""The kinds of identifiers that a log-in names a person by."""


class Subjects:
    """Finds portal users in the mirror of the HSA directory. A login never creates a person."""

    def find(self, hsa_id: str, person_id: str, credential: Credential) -> Subject:
        """Returns the subject with this HSA-id (ignoring case) and this number of twelve digits.

        Raises SubjectUnknown (rules/authn 1.4): `level` (below 3), `hsa-id-unknown`, `person-unknown`, `person-mismatch` or
        `no-role`.
        """
        if credential.level is not Level.LOA3:
            raise SubjectUnknown("level")
        post = _posts().filter(hsa_id__iexact=hsa_id).first()
        if post is None:
            raise SubjectUnknown("hsa-id-unknown", no_access.no_post())
        number = PersonIdentifier.objects.filter(kind__in=NUMBERS, value=person_id, valid_to=None).first()
        if number is None:
            raise SubjectUnknown("person-unknown", no_access.no_post())
        if number.person_id != post.person_id:
            raise SubjectUnknown("person-mismatch")
        if post.person.deceased or not actor_of_person(post.person_id).grants:
            raise SubjectUnknown("no-role", no_access.advice(post.person_id))
        return _subject(post)

    def card(self, serial: str) -> Subject:
        """Raises SubjectUnknown: `level`. The portal accepts no card that identifies no person."""
        raise SubjectUnknown("level")

    def no_post(self) -> Advice:
        """Returns the message to a person without a HSA-id of a valid assignment in the portal."""
        return no_access.no_post()

    def choices(self, hsa_ids: Sequence[str], person_id: str) -> list[Subject]:
        """Returns the HSA-ids that are valid assignments of the person with this number, by the organisation's name."""
        same = Q()
        for hsa_id in hsa_ids:
            same |= Q(hsa_id__iexact=hsa_id)
        if not hsa_ids:
            return []
        holders = PersonIdentifier.objects.filter(kind__in=NUMBERS, value=person_id, valid_to=None).values("person_id")
        return [_subject(post) for post in _posts().filter(same, person_id__in=holders).order_by("organisation__name", "hsa_id")]


def subject_ref(person_id: UUID) -> str:
    """Returns the reference of a portal user in `authn` and in event tables, which equals the actor's reference."""
    return f"{USER_PREFIX}{person_id}"


def person_of(reference: str) -> UUID:
    """Returns the person of a subject's reference, of either site. Raises ValueError for a card, which names no person."""
    return UUID(reference.removeprefix(USER_PREFIX).removeprefix(HOLDER_PREFIX))


def actor_of_subject(reference: str, *, hsa_id: str = "") -> Actor:
    """Returns the actor of this subject's session: a user with current roles, a holder for themself, or a card."""
    if reference.startswith(CARD_PREFIX):
        return card(UUID(reference.removeprefix(CARD_PREFIX)))
    if reference.startswith(HOLDER_PREFIX):
        return holder(person_of(reference))
    return actor_of_person(person_of(reference), hsa_id=hsa_id)


def _posts() -> QuerySet[Post]:
    valid = Q(valid_to=None) | Q(valid_to__gte=clock.today())
    return Post.objects.filter(valid, ended_at=None).select_related("person", "organisation")


def _subject(post: Post) -> Subject:
    name = f"{post.person.given_name_in_use} {post.person.surname}"
    return Subject(subject_ref(post.person_id), post.hsa_id, name, post.organisation.name)

"""Which person a log-in means (port `authn.ports.SubjectDirectory`): post and number of one person, who holds a role."""

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q, QuerySet

from authn.ports import Advice, Subject, SubjectUnknown
from issuance.people.models.persons import PersonIdentifier, Post
from issuance.roles.services import no_access
from issuance.roles.services.actors import actor_of_person
from siths_portal.lib import clock

_PREFIX = "user:"
_NUMBERS = ("personnummer", "samordningsnummer")


class Subjects:
    """Asks the catalogue's mirror and the roles. Nobody is ever created by logging in."""

    def find(self, hsa_id: str, person_id: str) -> Subject:
        """The subject of a HSA-id (in any case) and a number of twelve digits.

        Raises SubjectUnknown: `hsa-id-unknown`, `person-unknown`, `person-mismatch` (rules/authn 1.4) or `no-role`.
        """
        post = _posts().filter(hsa_id__iexact=hsa_id).first()
        if post is None:
            raise SubjectUnknown("hsa-id-unknown", no_access.no_post())
        number = PersonIdentifier.objects.filter(kind__in=_NUMBERS, value=person_id, valid_to=None).first()
        if number is None:
            raise SubjectUnknown("person-unknown", no_access.no_post())
        if number.person_id != post.person_id:
            raise SubjectUnknown("person-mismatch")
        if post.person.deceased or not actor_of_person(post.person_id).grants:
            raise SubjectUnknown("no-role", no_access.advice(post.person_id))
        return _subject(post)

    def no_post(self) -> Advice:
        """What to tell a person none of whose HSA-ids is a valid post here."""
        return no_access.no_post()

    def choices(self, hsa_ids: Sequence[str], person_id: str) -> list[Subject]:
        """Those of the HSA-ids that are valid posts of the person with the number, by the unit's name."""
        same = Q()
        for hsa_id in hsa_ids:
            same |= Q(hsa_id__iexact=hsa_id)
        if not hsa_ids:
            return []
        holders = PersonIdentifier.objects.filter(kind__in=_NUMBERS, value=person_id, valid_to=None).values("person_id")
        return [_subject(post) for post in _posts().filter(same, person_id__in=holders).order_by("organisation__name", "hsa_id")]


def subject_ref(person_id: UUID) -> str:
    """What `authn` and the event tables call the person: the same as the actor's reference."""
    return f"{_PREFIX}{person_id}"


def person_of(reference: str) -> UUID:
    """The person of a subject's reference."""
    return UUID(reference.removeprefix(_PREFIX))


def _posts() -> QuerySet[Post]:
    valid = Q(valid_to=None) | Q(valid_to__gte=clock.today())
    return Post.objects.filter(valid, ended_at=None).select_related("person", "organisation")


def _subject(post: Post) -> Subject:
    name = f"{post.person.given_name_in_use} {post.person.surname}"
    return Subject(subject_ref(post.person_id), post.hsa_id, name, post.organisation.name)

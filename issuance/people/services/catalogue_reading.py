"""Reads a person whom the mirror may lack from HSA directory and register, for a role or an order (ADR 0196)."""

from collections.abc import Collection, Iterable, Sequence

from django.db import IntegrityError
from django.db.models.functions import Upper

from issuance.authz import Action, Actor, policy, system
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Post
from issuance.people.ports import DirectoryPost, PersonKey, PersonRegister, RegisterPerson, StaffDirectory
from issuance.people.services.catalogue import CataloguePerson, register_people
from issuance.records.domain.ids import PersonId, PersonIdKind
from siths_portal.lib import ports
from siths_portal.lib.errors import NotFound


def read_person(*, actor: Actor, person_id: PersonId, action: Action) -> bool:
    """Adds the person with the assignments in organisations where `actor` may do `action`. Returns True if anything was new.

    A protected person is added only for actors whose add-on would show that person there; for others the result is that of an
    unknown person. Both cases send the same requests to directory, register and database, so that they cannot be told apart
    (S13). No transaction may be open. Raises Unavailable, Refused.
    """
    key = PersonKey(person_id.kind.value, person_id.value)
    posts = ports.get(StaffDirectory).find_posts_by_person_id(key)
    register = _register(key)
    paths = policy.reach_of_protected(actor, action) if register is not None and register.is_protected else ["/"]
    within = _within(actor, action, posts, paths)
    if register is None or not within:
        return False
    try:
        found = register_people(actor=system("register-reading"), people=[CataloguePerson(person_id, register, tuple(within))])
    except IntegrityError:  # another request added the person at the same time
        return True
    return found.persons + found.posts > 0


def read_holder(*, actor: Actor, hsa_id: str, action: Action) -> bool:
    """Does the same for the holder of the assignment with this complete HSA-id, if `actor` may do `action` in its organisation.

    For any other HSA-id it sends the same requests for a number that nobody has, so that response times do not reveal an
    assignment that the actor may not see. Raises Unavailable, Refused.
    """
    within = _within(actor, action, ports.get(StaffDirectory).find_posts_by_hsa_id(hsa_id))
    holder = PersonId(PersonIdKind(within[0].person.kind), within[0].person.value) if within else _NOBODY
    return read_person(actor=actor, person_id=holder, action=action)


def has_post(person_id: PersonId, *, places: Collection[str] = ()) -> bool:
    """True if the HSA directory has an assignment of the person in our organisations, and the register has the person.

    `places` are HSA-ids, in upper case, of organisations that count as well. Writes nothing. Raises Unavailable, Refused.
    """
    key = PersonKey(person_id.kind.value, person_id.value)
    posts = ports.get(StaffDirectory).find_posts_by_person_id(key)
    named = {post.organisation_hsa_id.upper() for post in posts}
    known = Organisation.objects.annotate(upper=Upper("hsa_id")).filter(upper__in=named).exists()
    return (known or bool(named.intersection(places))) and _register(key) is not None


def read_posts(*, actor: Actor, hsa_ids: Iterable[str]) -> bool:
    """Adds the holders of assignments given by HSA-id, each with only that assignment, where `actor` may give roles.

    Returns True if anything was new. It does not query the register for assignments that the mirror has, so hidden and unknown
    ones cost the same requests.
    """
    found = [post for hsa_id in hsa_ids for post in ports.get(StaffDirectory).find_posts_by_hsa_id(hsa_id)]
    within = _within(actor, Action.ASSIGN_ROLE, found)
    mirrored = Post.objects.filter(ended_at=None).annotate(upper=Upper("hsa_id"))
    named = [_NOTHING, *(post.hsa_id.upper() for post in within)]
    known = set(mirrored.filter(upper__in=named).values_list("upper", flat=True))
    people = []
    for post in within:
        register = _register(post.person) if post.hsa_id.upper() not in known else None
        if register is not None:
            people.append(CataloguePerson(PersonId(PersonIdKind(post.person.kind), post.person.value), register, (post,)))
    if not people:
        return False
    try:
        new = register_people(actor=system("register-reading"), people=people)
    except IntegrityError:  # another request added one of them at the same time
        return True
    return new.persons + new.posts > 0


def _register(key: PersonKey) -> RegisterPerson | None:
    try:
        return ports.get(PersonRegister).read_person(key)
    except NotFound:
        return None


_NOTHING = ""
"""An empty HSA-id, added to every lookup so that the query runs even without real ones."""


_NOBODY = PersonId(PersonIdKind.PERSONNUMMER, "180001010008")
"""A personnummer that nobody has, because no birth number is 000."""


def _within(actor: Actor, action: Action, posts: list[DirectoryPost], paths: Sequence[str] = ("/",)) -> list[DirectoryPost]:
    """Returns the assignments in organisations where the actor may do `action`, below one of `paths`. Always one query."""
    rows = Organisation.objects.visible_to(actor, action).annotate(upper=Upper("hsa_id"))
    named = {_NOTHING, *(post.organisation_hsa_id.upper() for post in posts)}
    places = rows.filter(upper__in=named).values_list("upper", "scope_path")
    known = {upper for upper, path in places if path.startswith(tuple(paths))}
    return [post for post in posts if post.organisation_hsa_id.upper() in known]

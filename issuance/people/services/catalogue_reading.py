"""A person whom the mirror may lack, read from catalogue and register for a role or for an order (ADR 0196)."""

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
    """Adds the person with the posts in the organisations where `actor` may do `action`. True if something was new.

    A protected one is added for those alone who would see him there, by the add-on; for others he is as one who is not there.
    Catalogue, register and database are asked the same of both, so that nothing tells them apart (S13). No transaction may be
    open. Raises Unavailable, Refused.
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
    except IntegrityError:  # somebody else read him at the same moment
        return True
    return found.persons + found.posts > 0


def read_holder(*, actor: Actor, hsa_id: str, action: Action) -> bool:
    """The same for the holder of the post with this whole HSA-id, if `actor` may do `action` in its organisation.

    For any other HSA-id catalogue and register are asked as often, about a number that nobody has: the time of an answer does
    not tell whether a post that the actor may not see is there. Raises Unavailable, Refused.
    """
    within = _within(actor, action, ports.get(StaffDirectory).find_posts_by_hsa_id(hsa_id))
    holder = PersonId(PersonIdKind(within[0].person.kind), within[0].person.value) if within else _NOBODY
    return read_person(actor=actor, person_id=holder, action=action)


def has_post(person_id: PersonId, *, places: Collection[str] = ()) -> bool:
    """Returns True if the directory has a post of the person in an organisation of the portal, and the register has the person.

    `places` are HSA-ids in upper case of organisations that count too. Writes nothing. Raises Unavailable, Refused.
    """
    key = PersonKey(person_id.kind.value, person_id.value)
    posts = ports.get(StaffDirectory).find_posts_by_person_id(key)
    named = {post.organisation_hsa_id.upper() for post in posts}
    known = Organisation.objects.annotate(upper=Upper("hsa_id")).filter(upper__in=named).exists()
    return (known or bool(named.intersection(places))) and _register(key) is not None


def read_posts(*, actor: Actor, hsa_ids: Iterable[str]) -> bool:
    """Adds the holders of posts that are named by HSA-id, each with that post alone, where `actor` may give roles.

    True if something was new.

    Of posts that the mirror has the register is not asked, so that one out of sight costs the questions of one that is not there.
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
    except IntegrityError:  # somebody else read one of them at the same moment
        return True
    return new.persons + new.posts > 0


def _register(key: PersonKey) -> RegisterPerson | None:
    try:
        return ports.get(PersonRegister).read_person(key)
    except NotFound:
        return None


_NOTHING = ""
"""No HSA-id: asked for beside those that are, so that the database is asked also where there is none."""


_NOBODY = PersonId(PersonIdKind.PERSONNUMMER, "180001010008")
"""A personnummer that nobody has: no birth number is 000."""


def _within(actor: Actor, action: Action, posts: list[DirectoryPost], paths: Sequence[str] = ("/",)) -> list[DirectoryPost]:
    """Those of the posts that are where the actor may do `action`, below one of `paths`. One query, whatever the posts are."""
    rows = Organisation.objects.visible_to(actor, action).annotate(upper=Upper("hsa_id"))
    named = {_NOTHING, *(post.organisation_hsa_id.upper() for post in posts)}
    places = rows.filter(upper__in=named).values_list("upper", "scope_path")
    known = {upper for upper, path in places if path.startswith(tuple(paths))}
    return [post for post in posts if post.organisation_hsa_id.upper() in known]

"""Search for persons (rules/issuance 2.1, 2.2), rate limited, within the access scope or outside it with a reason (S13-S15,
S22, S47).
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce, Lower, Reverse, Upper

from issuance.authz import Action, Actor, policy
from issuance.carriers.models import Carrier
from issuance.orders.models.orders import OrderItem
from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import Person, PersonIdentifier, Post
from issuance.records.domain.ids import PersonIdKind
from issuance.records.models.events import Event
from issuance.records.services import handles
from issuance.roles.models.extended_reach import ExtendedReach
from issuance.search.domain.search_names import beginnings, looks_like_name, parse_name
from issuance.search.domain.search_terms import Term, TermError, TermKind, clean, mifare_meaning, parse_term
from issuance.search.models import Search
from issuance.search.services import search_limits, search_watch
from issuance.search.services.search_watch import GUESSABLE
from siths_portal.lib import clock
from siths_portal.lib.database.prepared import prepared
from siths_portal.lib.errors import Forbidden, Invalid
from siths_portal.lib.lists import Order, Page, Rows

SHORTEST_REASON = 5
LONGEST_REASON = 200
PREFERENCE = (PersonIdKind.PERSONNUMMER, PersonIdKind.SAMORDNINGSNUMMER, PersonIdKind.PASSPORT, PersonIdKind.RESERVE)
"""The order of preference for the number that lists show of a person."""
BY_NAME = ("sort_name",)


@dataclass(frozen=True)
class Hit:
    """A found person, by surname first. `number` is a current number of kind `number_kind`; `hsa_ids` are those in scope."""

    person_id: UUID
    name: str
    number_kind: str
    number: str
    hsa_ids: tuple[str, ...]


@dataclass(frozen=True)
class Hits:
    """The present hits of a search. With `too_many` persons, `rows` is empty."""

    rows: Rows[Person, Hit]
    too_many: bool

    def first(self, limit: int) -> Page[Hit]:
        """Returns at most `limit` hits by name, for a page that shows no more of them."""
        return self.rows.page(Order(""), BY_NAME, None, limit)


def may_extend(actor: Actor) -> bool:
    """Returns whether one of the actor's roles may search outside its access scope."""
    return policy.holds(actor, Action.EXTENDED_SEARCH)


@transaction.atomic(durable=True)
def search(*, actor: Actor, session_id: UUID, text: str = "", name: str = "", extended: bool = False, reason: str = "") -> Search:
    """Searches for `text` or `name` among the persons that `actor` sees, and stores the search for the actor's session.

    Letters without a digit in `text` are a name; if nobody has the name, they are the ending of an HSA-id. If nobody has the
    ending, it is a MIFARE-id. A number in `text` takes precedence over `name`, because a scanner types into the first field.
    Names are searched only inside the actor's access scope. An extended search has no scope: it makes its hits visible to the
    actor for EXTENDED_REACH_MINUTES, and its event records the reason. Raises Invalid (fields text, name, reason), Forbidden,
    TooManyRequests.
    """
    term, other = _terms(text, name, extended=extended)
    reason = _reason(actor, reason) if extended else ""
    now = clock.now()
    before = search_limits.check(actor, term, extended=extended, now=now)
    action = Action.EXTENDED_SEARCH if extended else Action.VIEW
    most = _cap(extended=extended) + 1
    found = _found(actor, action, term, most)
    if other is not None and not found:
        found = _found(actor, action, other, most)
        term = other if found else term
    row = Search.objects.create(
        owner_ref=actor.ref,
        session_id=session_id,
        kind=term.kind.value,
        value=term.value,
        extended=extended,
        reason=reason,
        hits=len(found),
        person=found[0] if len(found) == 1 else None,
        created_at=now,
    )
    shown = _shown(row, found)
    if extended:
        _make_visible(row, shown)
    _record(row, shown)
    search_watch.watch(row, shown=len(shown), before=before)
    return row


@transaction.atomic(durable=True)
def again(*, actor: Actor, search: Search) -> Search:
    """Repeats a search without hits inside `actor`'s scope, after a person was read from the HSA directory.

    It remains the same search: it does not count against the rate limit, and an event is recorded only if it has a hit now.
    """
    row = Search.objects.select_for_update().get(pk=search.pk, owner_ref=actor.ref, extended=False)
    found = list(_persons(actor, Action.VIEW, Term(TermKind(row.kind), row.value)).order_by()[: _cap(extended=False) + 1])
    if found:
        row.hits, row.person = len(found), found[0] if len(found) == 1 else None
        row.save(update_fields=["hits", "person"])
        _record(row, _shown(row, found), catalogue=True)
    return row


def _cap(*, extended: bool) -> int:
    """Returns the highest number of hits that a search shows. A search with more hits shows none."""
    return int(settings.SEARCH_EXTENDED_MAX_HITS if extended else settings.SEARCH_MAX_HITS)


def _shown(row: Search, found: Sequence[Person]) -> list[UUID]:
    return [person.id for person in found] if len(found) <= _cap(extended=row.extended) else []


def own(*, actor: Actor, session_id: UUID, search_id: UUID) -> Search:
    """Returns the actor's search of this session. Raises NotFound for any other, also one from before a new login."""
    return handles.own(Search.objects.all(), actor=actor, session_id=session_id, handle_id=search_id)


def hits(*, actor: Actor, search: Search) -> Hits:
    """Returns the search's present hits. Uses the actor's present rights, not those at the time of the search.

    Their number is the one that the search counted.
    """
    if search.hits > _cap(extended=search.extended):
        return Hits(Rows(Person.objects.none(), lambda _page: ()), too_many=True)
    term = Term(TermKind(search.kind), search.value)

    def lines(page: Sequence[Person]) -> Sequence[Hit]:
        numbers, posts = _numbers(page), _posts(actor, term, page)
        return [
            Hit(person.id, person.sort_name, *numbers.get(person.id, ("", "")), tuple(posts.get(person.id, ())))
            for person in page
        ]

    # An extended search made its hits visible to the actor, so VIEW finds them as long as that lasts.
    return Hits(Rows(_persons(actor, Action.VIEW, term), lines, search.hits), too_many=False)


def found_carrier(*, actor: Actor, search: Search) -> UUID | None:
    """Returns the card whose serial number, MIFARE-id or order id was searched for. Returns None for other kinds of search."""
    if search.kind not in _OF_CARDS:
        return None
    if search.kind == TermKind.CARD_SERIAL:
        return next(iter(with_serial(actor, search.value)), None)
    carriers = _cards(Carrier.objects.visible_to(actor), Term(TermKind(search.kind), search.value))
    return carriers.values_list("pk", flat=True).first()


@prepared
def with_serial(actor: Actor, serial: str) -> QuerySet[Carrier, UUID]:
    """Returns the id of the card with this serial number that the actor sees, if there is one."""
    cards = _cards(Carrier.objects.visible_to(actor), Term(TermKind.CARD_SERIAL, serial))
    return cards.order_by("pk").values_list("pk", flat=True)[:1]


def delete_old(before: dt.datetime) -> int:
    """Deletes searches created before `before`, and expired extended scopes. Returns the number of rows."""
    searches, _ = Search.objects.filter(created_at__lt=before).delete()
    reaches, _ = ExtendedReach.objects.filter(until__lt=clock.now()).delete()
    return searches + reaches


_OF_CARDS = (TermKind.CARD_SERIAL, TermKind.MIFARE_ID, TermKind.ORDER_ID)


def _cards(carriers: QuerySet[Carrier], term: Term) -> QuerySet[Carrier]:
    """Returns the carriers with the serial number or the MIFARE-id, or those that the order makes or sends the PUK of."""
    if term.kind is TermKind.CARD_SERIAL:
        return carriers.filter(card_serial=term.value)
    if term.kind is TermKind.MIFARE_ID:
        return carriers.alias(mifare=Upper("mifare_id")).filter(mifare=term.value).exclude(mifare_id="")
    items = OrderItem.objects.filter(order=UUID(term.value))
    return carriers.filter(pk__in=items.values_list(Coalesce("carrier_id", "puk_of_id")))


def _terms(text: str, name: str, *, extended: bool) -> tuple[Term, Term | None]:
    """Returns the term to search for, and the alternative meaning of the same letters if the first has no hit. Raises Invalid."""
    if name.strip():
        if text.strip() and (number := _exact(text)):
            return number, None
        return _name(name, text, extended=extended), None
    if not looks_like_name(clean(text)):
        term = _term(text)
        return term, mifare_meaning(term)
    ending = _ending_of_letters(text)
    if extended:
        return (ending, None) if ending else (_name(text, "", extended=True, field="text"), None)
    return _name(text, "", extended=False, field="text"), ending


def _exact(text: str) -> Term | None:
    """Returns the term of `text` if it can match only one person or card. Returns None for a search on a part."""
    try:
        term = parse_term(text, today=clock.today())
    except TermError:
        return None
    return None if term.kind in GUESSABLE else term


def _ending_of_letters(text: str) -> Term | None:
    """Returns the text as the ending of an HSA-id that has only letters, or None if it can only be a name."""
    try:
        return parse_term(text, today=clock.today()) if " " not in clean(text) else None
    except TermError:
        return None


def _term(text: str) -> Term:
    try:
        return parse_term(text, today=clock.today())
    except TermError as error:
        raise Invalid(f"search-{error}".lower().replace("_", "-"), error.problem, fields={"text": [error.problem]}) from None


def _name(name: str, text: str, *, extended: bool, field: str = "name") -> Term:
    if text.strip():
        problem = "Sök med antingen namn eller id, inte båda."
        raise Invalid("search-twice", problem, fields={"name": [problem]})
    if extended:
        problem = "Namn kan du bara söka på inom din behörighet. Sök med person-id, tjänste-id eller kortserienummer i stället."
        raise Invalid("search-name-extended", problem, fields={field: [problem]})
    try:
        return parse_name(name)
    except TermError as error:
        raise Invalid(f"search-{error}".lower().replace("_", "-"), error.problem, fields={field: [error.problem]}) from None


def _reason(actor: Actor, reason: str) -> str:
    if not may_extend(actor):
        raise Forbidden("extended-search", "Din behörighetsroll tillåter inte utökat sökomfång.")
    reason = " ".join(reason.split())
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON:
        message = "Skriv varför du behöver söka utanför din behörighet. Skälet sparas i loggen."
        if len(reason) > LONGEST_REASON:
            message = f"Skälet får ha högst {LONGEST_REASON} tecken."
        raise Invalid("search-reason", message, fields={"reason": [message]})
    return reason


def _found(actor: Actor, action: Action, term: Term, most: int) -> list[Person]:
    """Returns the persons that match `term`, at most `most`, in any order."""
    if term.kind in (TermKind.PERSON_ID, TermKind.CARD_SERIAL):
        return _exactly(actor, action, term.kind, term.value, most)
    return list(_persons(actor, action, term).order_by()[:most])


@prepared
def _exactly(actor: Actor, action: Action, kind: TermKind, value: str, most: int) -> QuerySet[Person]:
    """Returns the same for a whole number. Names and endings are not prepared: PostgreSQL plans them by their values."""
    return _persons(actor, action, Term(kind, value)).order_by()[:most]


def _persons(actor: Actor, action: Action, term: Term) -> QuerySet[Person]:
    """Returns the persons that match `term` and on whom `actor` may do `action`. Runs the same query for a hidden person as for
    a missing one.
    """
    if term.kind is TermKind.NAME:
        found = _named(actor, action, term.value)
    else:
        found = Person.objects.visible_to(actor, action).filter(pk__in=_holders(actor, action, term))
    return found.order_by("sort_name", "pk")


def _holders(actor: Actor, action: Action, term: Term) -> QuerySet[Any, Any]:
    """Returns the ids of persons who have or had the number, the assignment or the card."""
    if term.kind is TermKind.PERSON_ID:
        return PersonIdentifier.objects.filter(value=term.value).values("person_id")
    if term.kind in _OF_CARDS:
        return _cards(Carrier.objects.visible_to(actor, action), term).values("person_id")
    return _ending_with(Post.objects.visible_to(actor, action), term.value).values("person_id")


def _named(actor: Actor, action: Action, name: str) -> QuerySet[Person]:
    """Returns persons whose name begins with `name`. A global role uses the index on persons, other roles the index per
    organisation.

    `PersonScope` gives the same visibility as `Person.objects.visible_to`. Its index finds the name within the scope's
    organisations, so the query reads neither everyone with the name nor everyone in the scope.
    """
    names = beginnings(name)
    if any(grant.scope_path == "/" and grant.allows(action) for grant in actor.grants):
        persons = Person.objects.visible_to(actor, action).annotate(lower_name=Lower("sort_name"))
        return persons.filter(reduce(or_, (Q(lower_name__startswith=beginning) for beginning in names)))
    scopes = PersonScope.objects.visible_to(actor, action).annotate(lower_name=Lower("sort_name"))
    # One subquery for each prefix, because the index of an organisation's people serves one prefix at a time.
    each = [scopes.filter(lower_name__startswith=beginning).values("person_id") for beginning in names]
    return Person.objects.filter(pk__in=each[0].union(*each[1:]) if len(each) > 1 else each[0])


def _ending_with(posts: QuerySet[Post], ending: str) -> QuerySet[Post]:
    return posts.annotate(reversed_hsa_id=Reverse(Upper("hsa_id"))).filter(reversed_hsa_id__startswith=ending[::-1])


def _numbers(page: Sequence[Person]) -> dict[UUID, tuple[str, str]]:
    rows = PersonIdentifier.objects.filter(person__in=page, valid_to=None)
    return {
        row.person_id: (row.kind, row.value) for row in sorted(rows, key=lambda row: PREFERENCE.index(row.kind), reverse=True)
    }


def _posts(actor: Actor, term: Term, page: Sequence[Person]) -> dict[UUID, list[str]]:
    rows: QuerySet[Post] = Post.objects.visible_to(actor).filter(person__in=page)
    rows = _ending_with(rows, term.value) if term.kind is TermKind.HSA_ID else rows.filter(ended_at=None)
    found: dict[UUID, list[str]] = {}
    for person_id, hsa_id in rows.order_by("hsa_id").values_list("person_id", "hsa_id"):
        found.setdefault(person_id, []).append(hsa_id)
    return found


def _make_visible(row: Search, person_ids: Sequence[UUID]) -> None:
    until = row.created_at + dt.timedelta(minutes=settings.EXTENDED_REACH_MINUTES)
    ExtendedReach.objects.bulk_create(
        ExtendedReach(person_id=person_id, owner_ref=row.owner_ref, reason=row.reason, until=until) for person_id in person_ids
    )


def _record(row: Search, person_ids: Sequence[UUID], *, catalogue: bool = False) -> None:
    """Records the search's event with the persons that it showed. It does not contain the typed text, because events are kept
    forever and it may be another person's number. `catalogue` means that they came from the HSA directory.
    """
    facts: dict[str, Any] = {"kind": row.kind, "hits": row.hits, "persons": [str(person_id) for person_id in person_ids]}
    if row.extended:
        facts["reason"] = row.reason
    if catalogue:
        facts["catalogue"] = True
    Event.record(
        actor_ref=row.owner_ref,
        action="search.extended" if row.extended else "search.made",
        subject_type="search",
        subject_ref=str(row.id),
        facts=facts,
    )

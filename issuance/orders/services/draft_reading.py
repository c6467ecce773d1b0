"""Live reads for the page of an order: the registered address to show, and obstacles to the card."""

from dataclasses import dataclass
from uuid import UUID

from issuance.authz import Action, Actor, policy
from issuance.orders.domain.drafts import DraftState
from issuance.orders.domain.rules import LOA2, LOA3, Obstacle
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.services import draft_steps, drafts, order_checks
from issuance.people.models.persons import Person, Post
from issuance.people.ports import PersonKey, RegisteredAddress
from issuance.people.services import people
from issuance.records.domain.ids import PersonId
from siths_portal.lib.errors import Conflict, Refused, Unavailable


@dataclass(frozen=True)
class LiveFacts:
    """The live data of register and HSA directory. `address` is only shown in this response and never stored. `obstacles` are
    Swedish sentences about obstacles to a card. `down` means that one of the systems did not respond. `person_id` is the
    person's number, None if the portal has none that is valid. `may_have_reserve_card` means that the obstacles do not hold for
    a reserve card on level 2, which the clerk may hand out. `set_aside` means that no card can be ordered for the person at all,
    so that the draft does not wait for the clerk any more.
    """

    address: RegisteredAddress | None = None
    obstacles: tuple[str, ...] = ()
    down: bool = False
    person_id: PersonId | None = None
    may_have_reserve_card: bool = False
    set_aside: bool = False


_LASTING = frozenset({Obstacle.TOO_YOUNG, Obstacle.NOT_PERSONNUMMER})
"""Obstacles that neither the clerk nor the register soon removes."""


def read(*, actor: Actor, draft_id: UUID) -> tuple[OrderDraft, LiveFacts]:
    """Returns the clerk's draft and the live data. Caches what has changed, as every live read does.

    So the page already finds an ended assignment or a new protection. External systems that do not respond are no error
    here. Sets the draft aside if no card that the clerk may order is for somebody of this age and with this person-id. Raises
    NotFound (also if the person is now protected), Forbidden.
    """
    draft = draft_steps.get(actor=actor, draft_id=draft_id)
    try:
        live = _read(draft)
    except Conflict as error:
        return draft, LiveFacts(obstacles=(error.message,))
    except (Unavailable, Refused):
        return draft, LiveFacts(down=True)
    if people.is_news(draft.person, draft.post, live):
        if draft.post is not None:
            people.remember(post_id=draft.post.pk, live=live)
        else:
            people.remember_person(person_id=draft.person.pk, register=live.register)
        draft = draft_steps.get(actor=actor, draft_id=draft_id)
    level = draft.article.assurance_level if draft.article is not None else LOA3
    found = order_checks.obstacles(live, assurance_level=level)
    reserve = bool(found) and policy.holds(actor, Action.ISSUE_RESERVE_CARD)
    reserve = reserve and not order_checks.obstacles(live, assurance_level=LOA2, is_sent=False)
    address = None if live.register.is_protected else live.register.registered_address
    never = draft.state == DraftState.OPEN and bool(_LASTING & found.keys()) and _is_for_no_card(actor, draft, live)
    if never:
        drafts.abandon(actor=actor, draft_id=draft_id)
    return draft, LiveFacts(
        address, tuple(found.values()), person_id=live.person_id, may_have_reserve_card=reserve, set_aside=never
    )


def _is_for_no_card(actor: Actor, draft: OrderDraft, live: people.Live) -> bool:
    """Returns whether age or person-id stand against every card that the person's organisations may order."""
    posts = Post.objects.visible_to(actor, Action.ORDER_ORDINARY_CARD).filter(person=draft.person_id, ended_at=None)
    offered = order_checks.offers().filter(organisation__in=posts.values("organisation"))
    levels = offered.values_list("article__assurance_level", flat=True).order_by().distinct()
    return all(_LASTING & order_checks.obstacles(live, assurance_level=level).keys() for level in levels)


def address_now(person: Person) -> tuple[Person, LiveFacts]:
    """Returns the person and the registered address to which a card is sent now. Caches a new protection, as `read` does. A
    register that does not respond, or does not know the person, is no error here.
    """
    try:
        person_id = people.person_id_of(person.pk)
        register = people.read_register(PersonKey(person_id.kind.value, person_id.value))
    except (Conflict, Unavailable, Refused):
        return person, LiveFacts(down=True)
    if register.is_protected and not person.is_protected:
        people.remember_person(person_id=person.pk, register=register)
        person.refresh_from_db()
    return person, LiveFacts(None if register.is_protected else register.registered_address)


def _read(draft: OrderDraft) -> people.Live:
    if draft.post is not None and draft.post.ended_at is None:
        return people.read_live(draft.post)
    person_id = people.person_id_of(draft.person_id)
    return people.Live(person_id, None, people.read_register(PersonKey(person_id.kind.value, person_id.value)))

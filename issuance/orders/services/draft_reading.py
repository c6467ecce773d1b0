"""The outside as the order wizard needs it at each step: the registered address to show, and what stands against the card."""

from dataclasses import dataclass
from uuid import UUID

from issuance.authz import Actor
from issuance.orders.domain.rules import LOA3
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.services import drafts, order_checks
from issuance.people.ports import PersonKey, RegisteredAddress
from issuance.people.services import people
from siths_portal.lib.errors import Conflict, Refused, Unavailable


@dataclass(frozen=True)
class Outside:
    """What register and catalogue say now. `address` is for display in this answer only and is kept nowhere.

    `obstacles` are sentences on what stands against a card; `down` means that one of the two did not answer.
    """

    address: RegisteredAddress | None = None
    obstacles: tuple[str, ...] = ()
    down: bool = False


def look(*, actor: Actor, draft_id: UUID) -> tuple[OrderDraft, Outside]:
    """The clerk's draft, and the outside read live. What differs from the cache is kept, as at every live read.

    So a post that the catalogue lost and a protection that was set are found at the next step. Outside systems that do not
    answer are no error here. Raises NotFound (also when the person has come to be protected), Forbidden.
    """
    draft = drafts.get(actor=actor, draft_id=draft_id)
    try:
        live = _read(draft)
    except Conflict as error:
        return draft, Outside(obstacles=(error.message,))
    except (Unavailable, Refused):
        return draft, Outside(down=True)
    if people.is_news(draft.person, draft.post, live):
        if draft.post is not None:
            people.remember(post_id=draft.post.pk, live=live)
        else:
            people.remember_person(person_id=draft.person.pk, register=live.register)
        draft = drafts.get(actor=actor, draft_id=draft_id)
    level = draft.article.assurance_level if draft.article is not None else LOA3
    found = order_checks.obstacles(live, assurance_level=level)
    address = None if live.register.is_protected else live.register.registered_address
    return draft, Outside(address, tuple(found.values()))


def _read(draft: OrderDraft) -> people.Live:
    if draft.post is not None and draft.post.ended_at is None:
        return people.read_live(draft.post)
    person_id = people.person_id_of(draft.person_id)
    return people.Live(person_id, None, people.read_register(PersonKey(person_id.kind.value, person_id.value)))

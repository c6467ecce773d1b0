"""Whether an actor may do a thing. Asks the scoped queryset, so that a check of one row and a list can never disagree.

A row that the actor does not see is NotFound, answered by the same query as for a row that does not exist (S09, S13).
"""

import datetime as dt
from collections.abc import Iterable
from operator import attrgetter
from typing import Any, NoReturn, cast
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model, QuerySet

from issuance.authz.actor import Actor, Grant
from issuance.authz.roles import (
    ALLOWED,
    ASSIGNABLE,
    ISSUING,
    NEVER_FOR_ONESELF,
    QUALIFIED_ROLES,
    SYSTEM_ALLOWED,
    Action,
    Role,
    outranks,
)
from issuance.authz.scope import ScopedQuerySet
from siths_portal.lib.database.rows import the_only
from siths_portal.lib.errors import Forbidden, NotFound

OVERDUE = (
    "Din utbildning eller personkontroll saknas eller har gått ut. "
    "Kontakta din utgivare, eller SITHS-förvaltningen om du är ansvarig utgivare."
)
"""Why a role issues nothing for now."""


def get[M: Model](actor: Actor, action: Action, queryset: QuerySet[M], pk: UUID | str) -> M:
    """The row `pk` of `queryset` if `actor` may do `action` to it.

    Raises NotFound if the actor does not see it or it is not there, Forbidden if he sees it and may not do this.
    """
    try:
        pk = UUID(str(pk))
    except ValueError:
        raise not_found() from None
    scoped = cast(ScopedQuerySet[M], queryset)
    row = the_only(scoped.visible_to(actor, action, pk=pk))
    if row is None:
        _refuse(actor, action, scoped, pk)
    _refuse_own_matter(actor, action, row)
    return row


def require(actor: Actor, action: Action, row: Any) -> None:
    """Passes if `actor` may do `action` to `row`. Raises NotFound or Forbidden as `get` does."""
    queryset: ScopedQuerySet[Any] = type(row)._default_manager.all()
    if not queryset.visible_to(actor, action, pk=row.pk).exists():
        _refuse(actor, action, queryset, row.pk)
    _refuse_own_matter(actor, action, row)


def may(actor: Actor, action: Action, row: Any) -> bool:
    """True if `require` would pass."""
    try:
        require(actor, action, row)
    except (NotFound, Forbidden):
        return False
    return True


def is_own_matter(actor: Actor, action: Action, person_id: UUID) -> bool:
    """True if `actor` is the person himself and nobody does `action` for himself (rules/issuance 1.3)."""
    return action in NEVER_FOR_ONESELF and actor.person_id == person_id


def require_global(actor: Actor, action: Action) -> None:
    """Passes if `actor` may do `action` everywhere, as what makes new roots of the tree demands. Raises Forbidden."""
    from_system = actor.kind == "system" and action in _system_actions(actor)
    from_grant = any(grant.scope_path == "/" and grant.allows(action) for grant in actor.grants)
    if not (from_system or from_grant):
        raise _forbidden()


def held_since(actor: Actor, action: Action, path: str = "/") -> dt.datetime | None:
    """Returns since when some role of the actor allows `action` at `path`, by default everywhere.

    None if no role does, or if that is not known.
    """
    moments = [
        grant.since for grant in actor.grants if path.startswith(grant.scope_path) and grant.allows(action) and grant.since
    ]
    return min(moments, default=None)


def holds(actor: Actor, action: Action) -> bool:
    """True if some role of a person allows `action` somewhere: whether to show him the way to it."""
    return any(grant.allows(action) for grant in actor.grants)


def rests(actor: Actor, action: Action) -> bool:
    """True if a person's roles would allow `action` somewhere, were his training and person check not overdue (ADR 0187)."""
    return action in ISSUING and any(grant.overdue and action in ALLOWED[grant.role] for grant in actor.grants)


def reach(actor: Actor, action: Action) -> list[str]:
    """The scope paths of those of a person's roles that allow `action`. Raises Forbidden if none does."""
    paths = sorted({grant.scope_path for grant in actor.grants if grant.allows(action)})
    if not paths:
        raise _forbidden()
    return paths


def require_assignable(actor: Actor, role: Role, scope_path: str, *, protected_persons: bool) -> None:
    """Passes if `actor` may give or change `role` over `scope_path`. Raises Forbidden.

    Only roles below the actor's own, inside his scope, and the add-on only by one who has it or has none above him; where that
    alone stands against it, the refusal names the field `protected_persons`.
    """
    if may_assign(actor, role, scope_path, protected_persons=protected_persons):
        return
    if protected_persons and may_assign(actor, role, scope_path, protected_persons=False):
        message = "Du har inte tilläggsrollen Sekretess överallt där rollen ska gälla, och kan inte ge den där."
        raise Forbidden("add-on", message, fields={"protected_persons": [message]})
    raise _forbidden()


def may_assign(actor: Actor, role: Role, scope_path: str, *, protected_persons: bool) -> bool:
    """True if `require_assignable` would pass."""
    if actor.kind == "system":
        return Action.ASSIGN_ROLE in _system_actions(actor)
    for grant in actor.grants:
        below = role in ASSIGNABLE.get(grant.role, frozenset()) and scope_path.startswith(grant.scope_path)
        if below and (not protected_persons or _passes_add_on_on(grant)):
            return True
    return False


def may_take(actor: Actor, role: Role, scope_path: str) -> bool:
    """True if `actor` may end `role` over `scope_path`, held with the add-on or without: who is above can always stop it, whether
    he could give the add-on himself or not (ADR 0186)."""
    return may_assign(actor, role, scope_path, protected_persons=False)


def require_takeable(actor: Actor, role: Role, scope_path: str) -> None:
    """Passes if `may_take`. Raises Forbidden."""
    if not may_take(actor, role, scope_path):
        raise _forbidden()


def may_take_of_leaver(actor: Actor, role: Role, scope_path: str, *, protected: bool) -> bool:
    """True if `actor` may take `role` of one whom nobody sees any more (ADR 0036).

    As for `may_take`; of a `protected` person only by a role that has the add-on itself.
    """
    if not may_take(actor, role, scope_path):
        return False
    return not protected or any(
        grant.protected_persons and role in ASSIGNABLE.get(grant.role, frozenset()) and scope_path.startswith(grant.scope_path)
        for grant in actor.grants
    )


def reach_of_protected(actor: Actor, action: Action) -> list[str]:
    """The scope paths of those of a person's roles that allow `action` also on protected persons; empty without any."""
    return sorted({grant.scope_path for grant in actor.grants if grant.protected_persons and grant.allows(action)})


def may_give_add_on(actor: Actor) -> bool:
    """True if some role of a person lets him give the add-on for protected persons: who has it, or has none above him."""
    return any(_passes_add_on_on(grant) for grant in actor.grants)


def _passes_add_on_on(grant: Grant) -> bool:
    return grant.protected_persons or grant.role is Role.MASTER_DATA_ADMIN


def assignable(actor: Actor, scope_path: str) -> frozenset[Role]:
    """The roles that a person may give over `scope_path`, without the add-on."""
    found: frozenset[Role] = frozenset()
    for grant in actor.grants:
        if scope_path.startswith(grant.scope_path):
            found |= ASSIGNABLE.get(grant.role, frozenset())
    return found


def require_above(actor: Actor, held: Iterable[tuple[Role, str]]) -> None:
    """Passes if `is_above`. Raises Forbidden."""
    if not is_above(actor, held):
        raise _forbidden()


def is_above(actor: Actor, held: Iterable[tuple[Role, str]]) -> bool:
    """True if `actor` may assign roles and is above each of the roles `held` in his scope, one at least if any is held, and by
    rank above those that issue beside or over it in an area of his (ADR 0187).

    Who vouches for somebody's training gives him as much as who gives the role, and for all his roles that issue.
    """
    if actor.kind == "system":
        return Action.ASSIGN_ROLE in _system_actions(actor)
    mine = [grant for grant in actor.grants if grant.allows(Action.ASSIGN_ROLE)]
    held = list(held)
    inside = [(role, path) for role, path in held if any(path.startswith(grant.scope_path) for grant in mine)]
    if not mine or (held and not inside):
        return False
    beside = [(role, path) for role, path in held if role in unranked(actor, area_path(path))]
    return not beside and all(
        any(outranks(grant.role, role) and path.startswith(grant.scope_path) for grant in mine) for role, path in inside
    )


def unranked(actor: Actor, area: str) -> frozenset[Role]:
    """The roles that issue and are not below any that the actor, a person, assigns by in this area, by its scope path.

    None in an area where he assigns none.
    """
    mine = [
        grant.role for grant in actor.grants if grant.allows(Action.ASSIGN_ROLE) and area.startswith(area_path(grant.scope_path))
    ]
    return frozenset(role for role in QUALIFIED_ROLES if mine and not any(outranks(one, role) for one in mine))


def area_path(path: str) -> str:
    """The scope path of the area in which a place lies; `/` for everywhere."""
    return "/".join(path.split("/")[:2]).rstrip("/") + "/"


def not_found() -> NotFound:
    """The one answer for what is not there and what may not be known."""
    return NotFound("not-found", "Uppgiften finns inte, eller så ligger den utanför din behörighet. Gå tillbaka och sök igen.")


def _system_actions(actor: Actor) -> frozenset[Action]:
    return SYSTEM_ALLOWED[actor.ref]


def _refuse(actor: Actor, action: Action, queryset: ScopedQuerySet[Any], pk: UUID) -> NoReturn:
    # Reads the row: `exists` drops the `of` of a queryset that locks, and PostgreSQL locks no row of an outer join.
    if action is not Action.VIEW and the_only(queryset.visible_to(actor, Action.VIEW, pk=pk)) is not None:
        raise _forbidden(resting=rests(actor, action))
    raise not_found()


def _refuse_own_matter(actor: Actor, action: Action, row: Any) -> None:
    if action not in NEVER_FOR_ONESELF or actor.person_id is None or not type(row).scope.person:
        return
    try:
        person_id = attrgetter(type(row).scope.person)(row)
    except ObjectDoesNotExist:
        return
    if person_id == actor.person_id:
        raise Forbidden("own-matter", "Du kan inte utföra ärendet för dig själv. Be en annan ID-administratör.")


def _forbidden(*, resting: bool = False) -> Forbidden:
    if resting:
        return Forbidden("training-overdue", OVERDUE)
    return Forbidden("forbidden", "Din behörighetsroll tillåter inte åtgärden.")

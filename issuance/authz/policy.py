"""Permission checks. They use the scoped queryset, so the check of one row and a list never disagree.

Raises NotFound for a row that the actor does not see, by the same query as for a row that does not exist (S09, S13).
"""

import datetime as dt
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, NoReturn, cast
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Manager, Model, QuerySet

from issuance.authz.actor import Actor, Grant
from issuance.authz.roles import (
    ALLOWED,
    ASSIGNABLE,
    ISSUING,
    NEVER_FOR_ONESELF,
    QUALIFIED_ROLES,
    REVOKING,
    SYSTEM_ALLOWED,
    Action,
    Role,
    outranks,
)
from issuance.authz.scope import ScopedManager, ScopedQuerySet
from siths_portal.lib.database.prepared import prepared
from siths_portal.lib.database.rows import the_only
from siths_portal.lib.errors import Forbidden, NotFound

OVERDUE = (
    "Din utbildning eller personkontroll saknas eller har gått ut. "
    "Kontakta din utgivare, eller SITHS-förvaltningen om du är ansvarig utgivare."
)
"""The reason why a dormant role issues nothing."""


type Rows[M: Model] = QuerySet[M] | Manager[M] | Callable[[Actor], QuerySet[M]]
"""Where `get` finds a row: a queryset, or a manager or a function of a module, whose query `prepared` compiles once."""


def get[M: Model](actor: Actor, action: Action, rows: Rows[M], pk: UUID | str) -> M:
    """Returns the row `pk` of `rows` if `actor` may do `action` to it.

    Raises NotFound if the row does not exist or the actor does not see it, Forbidden if the actor sees it but may not do this.
    """
    try:
        pk = UUID(str(pk))
    except ValueError:
        raise not_found() from None
    row = _visible_row(actor, action, rows, pk)
    if row is None:
        _refuse(actor, action, rows, pk)
    refuse_own_matter(actor, action, row)
    return row


def require(actor: Actor, action: Action, row: Any) -> None:
    """Raises NotFound or Forbidden, like `get`, unless `actor` may do `action` to `row`."""
    manager = type(row)._default_manager
    if not _visible_ids(actor, action, type(row), row.pk):
        _refuse(actor, action, manager, row.pk)
    refuse_own_matter(actor, action, row)


def may(actor: Actor, action: Action, row: Any) -> bool:
    """True if `require` would pass."""
    try:
        require(actor, action, row)
    except (NotFound, Forbidden):
        return False
    return True


def is_own_matter(actor: Actor, action: Action, person_id: UUID) -> bool:
    """True if the actor is this person and nobody may do `action` for themself (rules/issuance 1.3)."""
    return action in NEVER_FOR_ONESELF and actor.person_id == person_id


def require_global(actor: Actor, action: Action) -> None:
    """Raises Forbidden unless `actor` may do `action` everywhere, for example to create new roots of the tree."""
    from_system = actor.kind == "system" and action in _system_actions(actor)
    from_grant = any(grant.scope_path == "/" and grant.allows(action) for grant in actor.grants)
    if not (from_system or from_grant):
        raise _forbidden()


def held_since(actor: Actor, action: Action, path: str = "/") -> dt.datetime | None:
    """Returns the moment since which a role of the actor allows `action` at `path`, by default everywhere.

    Returns None if no role allows it, or if the moment is unknown.
    """
    moments = [
        grant.since for grant in actor.grants if path.startswith(grant.scope_path) and grant.allows(action) and grant.since
    ]
    return min(moments, default=None)


def holds(actor: Actor, action: Action) -> bool:
    """True if a role of the person allows `action` somewhere, so that pages link to it."""
    return any(grant.allows(action) for grant in actor.grants)


def only_revokes(actor: Actor) -> bool:
    """True if the actor may revoke cards and the person's roles allow no other act (role Spärr)."""
    return holds(actor, Action.REVOKE_CARRIER) and all(ALLOWED[grant.role] <= REVOKING for grant in actor.grants)


def is_dormant(actor: Actor, action: Action) -> bool:
    """True if a role of the person would allow `action` if their training and person check were not overdue (ADR 0187)."""
    return action in ISSUING and any(grant.overdue and action in ALLOWED[grant.role] for grant in actor.grants)


def reach(actor: Actor, action: Action) -> list[str]:
    """Returns the scope paths of the person's roles that allow `action`. Raises Forbidden if no role does."""
    paths = sorted({grant.scope_path for grant in actor.grants if grant.allows(action)})
    if not paths:
        raise _forbidden()
    return paths


def require_assignable(actor: Actor, role: Role, scope_path: str, *, protected_persons: bool) -> None:
    """Raises Forbidden unless `actor` may give or change `role` over `scope_path`.

    Actors give only roles below their own, inside their scope. They give the add-on for protected persons only if they have it
    themselves or are master data administrators. If only the add-on is refused, the error is at the field `protected_persons`.
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
        if below and (not protected_persons or _gives_add_on(grant)):
            return True
    return False


def may_end(actor: Actor, role: Role, scope_path: str) -> bool:
    """True if `actor` may end `role` over `scope_path`, with or without the add-on.

    A superior can always end a role, even if they could not give its add-on (ADR 0186).
    """
    return may_assign(actor, role, scope_path, protected_persons=False)


def require_may_end(actor: Actor, role: Role, scope_path: str) -> None:
    """Raises Forbidden unless `may_end`."""
    if not may_end(actor, role, scope_path):
        raise _forbidden()


def may_end_of_leaver(actor: Actor, role: Role, scope_path: str, *, protected: bool) -> bool:
    """True if `actor` may end the role of a person who has left all organisations and whom no actor sees (ADR 0036).

    The rule is that of `may_end`; for a `protected` person the actor's own role must also have the add-on.
    """
    if not may_end(actor, role, scope_path):
        return False
    return not protected or any(
        grant.protected_persons and role in ASSIGNABLE.get(grant.role, frozenset()) and scope_path.startswith(grant.scope_path)
        for grant in actor.grants
    )


def reach_of_protected(actor: Actor, action: Action) -> list[str]:
    """Returns the scope paths of the person's roles that allow `action` on protected persons too; empty if no role does."""
    return sorted({grant.scope_path for grant in actor.grants if grant.protected_persons and grant.allows(action)})


def may_give_add_on(actor: Actor) -> bool:
    """True if a role of the person allows giving the add-on for protected persons: it has the add-on, or is master data."""
    return any(_gives_add_on(grant) for grant in actor.grants)


def _gives_add_on(grant: Grant) -> bool:
    return grant.protected_persons or grant.role is Role.MASTER_DATA_ADMIN


def assignable(actor: Actor, scope_path: str) -> frozenset[Role]:
    """Returns the roles that the person may give over `scope_path`, without the add-on."""
    found: frozenset[Role] = frozenset()
    for grant in actor.grants:
        if scope_path.startswith(grant.scope_path):
            found |= ASSIGNABLE.get(grant.role, frozenset())
    return found


def require_above(actor: Actor, held: Iterable[tuple[Role, str]]) -> None:
    """Raises Forbidden unless `is_above`."""
    if not is_above(actor, held):
        raise _forbidden()


def is_above(actor: Actor, held: Iterable[tuple[Role, str]]) -> bool:
    """True if `actor` may record training and person checks for a person with the roles `held`.

    The actor must assign roles. At least one of the roles held, if any, must be in the actor's scope, and the actor must outrank
    each of those. The actor must also outrank the issuing roles that the person holds elsewhere in the same areas (ADR 0187),
    because a record of training takes effect on all issuing roles of its person.
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
    """Returns the issuing roles that no role of the actor outranks in this area (its scope path).

    The set is empty in an area where the actor, a person, assigns no roles.
    """
    mine = [
        grant.role for grant in actor.grants if grant.allows(Action.ASSIGN_ROLE) and area.startswith(area_path(grant.scope_path))
    ]
    return frozenset(role for role in QUALIFIED_ROLES if mine and not any(outranks(one, role) for one in mine))


def area_path(path: str) -> str:
    """Returns the scope path of the area that contains `path`, or `/` for everywhere."""
    return "/".join(path.split("/")[:2]).rstrip("/") + "/"


def not_found() -> NotFound:
    """Returns the same error for rows that do not exist and rows that the actor may not see."""
    return NotFound("not-found", "Uppgiften finns inte, eller så ligger den utanför din behörighet. Gå tillbaka och sök igen.")


def _system_actions(actor: Actor) -> frozenset[Action]:
    return SYSTEM_ALLOWED[actor.ref]


def _refuse(actor: Actor, action: Action, rows: Rows[Any], pk: UUID) -> NoReturn:
    # Reads the row, because `exists` drops the `of` of a locking queryset, and PostgreSQL cannot lock the rows of an outer join.
    if action is not Action.VIEW and _visible_row(actor, Action.VIEW, rows, pk) is not None:
        raise _forbidden(dormant=is_dormant(actor, action))
    raise not_found()


def _visible_row[M: Model](actor: Actor, action: Action, rows: Rows[M], pk: UUID) -> M | None:
    if isinstance(rows, QuerySet):
        return the_only(cast(ScopedQuerySet[M], rows).visible_to(actor, action, pk=pk))
    found = _visible_of_model(actor, action, rows.model, pk) if isinstance(rows, Manager) else _visible(actor, action, rows, pk)
    return cast("M | None", next(iter(found), None))


@prepared
def _visible(actor: Actor, action: Action, rows: Callable[[Actor], QuerySet[Any]], pk: UUID) -> QuerySet[Any]:
    return cast(ScopedQuerySet[Any], rows(actor)).visible_to(actor, action, pk=pk).order_by()[:1]


@prepared
def _visible_of_model(actor: Actor, action: Action, model: type[Model], pk: UUID) -> QuerySet[Any]:
    return cast(ScopedManager[Any], model._default_manager).visible_to(actor, action, pk=pk).order_by()[:1]


@prepared
def _visible_ids(actor: Actor, action: Action, model: type[Model], pk: UUID) -> QuerySet[Any, Any]:
    return cast(ScopedManager[Any], model._default_manager).visible_to(actor, action, pk=pk).order_by().values_list("pk")[:1]


def refuse_own_matter(actor: Actor, action: Action, row: Any) -> None:
    """Raises Forbidden if the row belongs to the actor and nobody may do `action` for themself (rules/issuance 1.3)."""
    if action not in NEVER_FOR_ONESELF or actor.person_id is None or not type(row).scope.person:
        return
    try:
        person_id = attrgetter(type(row).scope.person)(row)
    except ObjectDoesNotExist:
        return
    if person_id == actor.person_id:
        raise Forbidden("own-matter", "Du kan inte göra det här för dig själv. Be en annan ID-administratör.")


def _forbidden(*, dormant: bool = False) -> Forbidden:
    if dormant:
        return Forbidden("training-overdue", OVERDUE)
    return Forbidden("forbidden", "Din behörighetsroll tillåter inte åtgärden.")

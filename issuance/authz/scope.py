"""What an actor sees: turns scope and the protection of persons into a database condition, for every model with a scope. Invoices
have none; `issuance/organisations/queries/invoiced_parties.py` selects them by organisation.

Scope only goes downward: a grant covers every row whose organisation's `scope_path` begins with the grant's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import Any, ClassVar, Protocol, Self, TypeVar, cast
from uuid import UUID

from django.db import models
from django.db.models import BooleanField, Case, Exists, OuterRef, Q, When

from issuance.authz.actor import Actor, Grant
from issuance.authz.roles import (
    CARD_ALLOWED,
    CONFIGURING,
    EXTENDED_REACH,
    HOLDER_ALLOWED,
    READING,
    SYSTEM_ALLOWED,
    Action,
)

_Model = TypeVar("_Model", bound=models.Model, covariant=True)

_NOTHING = Q(pk__in=[])
_EVERYTHING = ~_NOTHING
_ROW = OuterRef("pk")


@dataclass(frozen=True)
class ScopeRule:
    """The relation of a model's rows to the tree of organisations. Each model declares one as `scope`.

    `path` is the lookup of a `scope_path`. `through` names reverse relations that have that lookup instead (a person's
    organisations). `shown_by` is a reverse relation: its rows in scope show this row for reading only, as an eID shows its
    carrier, and for the actions in `shown_for`.
    `protected` is the lookup of the flag for protected persons. `holder` is the lookup of a person that may be missing;
    a row without a person is not protected. `person` is the attribute path to a person's id, `carrier` that to a carrier's id.
    `supplier` is the column with the owning client's reference. `supplied_for` is a reverse relation to orders: their supplier
    reads this row while an order is in one of the `supplied_states` that the rule of orders declares. `ended` is the column with
    the closing date of a place, where nobody then configures anything.
    """

    path: str
    through: tuple[str, ...] = ()
    shown_by: str = ""
    shown_for: frozenset[Action] = frozenset()
    protected: str = ""
    holder: str = ""
    person: str = ""
    carrier: str = ""
    supplier: str = ""
    supplied_for: str = ""
    supplied_states: tuple[str, ...] = ()
    ended: str = ""


class Scoped(Protocol):
    """A model class with a scope rule."""

    scope: ClassVar[ScopeRule]


class ScopedQuerySet(models.QuerySet[_Model]):
    """A queryset that can be limited to what an actor may see."""

    def visible_to(self, actor: Actor, action: Action = Action.VIEW, *, pk: UUID | None = None) -> Self:
        """Returns the rows on which `actor` may do `action`. The result does not distinguish hidden rows from missing ones.

        With `pk`, returns only that row. Subqueries on related rows then name the id, so a hidden row takes no longer than a
        missing one (S46). Without the id, PostgreSQL cannot know that one row is meant and reads all related rows.
        """
        queryset = self if pk is None else self.filter(pk=pk)
        return queryset._visible_to(actor, action, _ROW if pk is None else pk)

    def _visible_to(self, actor: Actor, action: Action, row: OuterRef | UUID) -> Self:
        rule = cast(Scoped, self.model).scope
        if actor.kind == "system":
            return self.filter(_living(rule, action)) if action in SYSTEM_ALLOWED[actor.ref] else self.none()
        if actor.kind == "client":
            return self._supplied_by(actor, action, rule, row)
        if actor.kind in ("holder", "card"):
            return self.filter(_own(rule, actor, action))
        if not any(grant.allows(action) for grant in actor.grants):
            return self.none()
        return self.filter(self._for_person(actor, action, rule, row))

    def with_rights(self, actor: Actor, actions: Iterable[Action]) -> Self:
        """Annotates each row with `may_<action>`: whether `visible_to` would keep the row for this person.

        A page of many rows thus needs one query for everything that it offers on them.
        """
        rule = cast(Scoped, self.model).scope
        rights = {}
        for action in actions:
            condition = self._for_person(actor, action, rule)
            rights[f"may_{action}"] = Case(When(condition, then=True), default=False, output_field=BooleanField())
        return self.annotate(**rights)

    def with_own_scope(self, actor: Actor) -> Self:
        """Annotates each row with `in_own_scope`: the person's scope covers the row itself, not only a row that shows it."""
        condition = self._for_person(actor, Action.VIEW, replace(cast(Scoped, self.model).scope, shown_by=""))
        return self.annotate(in_own_scope=Case(When(condition, then=True), default=False, output_field=BooleanField()))

    def _supplied_by(self, actor: Actor, action: Action, rule: ScopeRule, row: OuterRef | UUID) -> Self:
        """Selects a supplier's own rows and, for reading, the rows that its orders need. A client sees nothing else (S29)."""
        if action not in (Action.SUPPLY, Action.READ_SUPPLIED) or not rule.supplier:
            return self.none()
        condition = Q(**{rule.supplier: actor.client_ref})
        if action is Action.READ_SUPPLIED and rule.supplied_for:
            orders = cast(Any, self.model._meta.get_field(rule.supplied_for)).related_model.scope
            under_way = Q(supplier_ref=actor.client_ref, state__in=orders.supplied_states)
            condition |= self._exists(rule.supplied_for, under_way, row)
        return self.filter(condition)

    def _for_person(self, actor: Actor, action: Action, rule: ScopeRule, row: OuterRef | UUID = _ROW) -> Q:
        """Selects the rows that a person's roles cover, and the rows of persons found by an extended search.

        `row` is the id that related rows must refer to: that of the outer query's row, or a given one. An extended search covers
        all organisations. Its finds open only EXTENDED_REACH, and protected persons only if a role that allows extended search
        has the add-on.
        """
        if actor.kind in ("holder", "card"):
            return _own(rule, actor, action)
        grants = [grant for grant in actor.grants if grant.allows(action)]
        if action is Action.EXTENDED_SEARCH:
            grants = [replace(grant, scope_path="/") for grant in grants]
        condition = self._granted(grants, action, rule, row) if grants else _NOTHING
        extended = [grant for grant in grants if grant.allows(Action.EXTENDED_SEARCH)]
        if extended and action in EXTENDED_REACH and rule.person and actor.extended_persons:
            found = Q(**{f"{rule.person.replace('.', '__')}__in": actor.extended_persons})
            if rule.protected and not any(grant.protected_persons for grant in extended):
                found &= Q(**{rule.protected: False})  # the rows have a person, so `rule.holder` is not needed
            condition |= found
        return condition & _living(rule, action)

    def _granted(self, grants: list[Grant], action: Action, rule: ScopeRule, row: OuterRef | UUID) -> Q:
        everyone = [grant for grant in grants if grant.protected_persons or not rule.protected]
        condition = self._within([grant.scope_path for grant in everyone], action, rule, row) if everyone else _NOTHING
        if len(everyone) < len(grants):
            others = [grant.scope_path for grant in grants if grant not in everyone]
            condition |= self._within(others, action, rule, row) & self._unprotected(rule)
        return condition

    def _within(self, scope_paths: list[str], action: Action, rule: ScopeRule, row: OuterRef | UUID) -> Q:
        """Selects the rows below any of `scope_paths`."""
        paths = outermost(scope_paths)
        if paths == ["/"]:
            return _EVERYTHING
        own = _below(rule.path, paths)
        condition = own
        if rule.through:
            condition = reduce(or_, (self._exists(relation, own, row) for relation in rule.through))
        if rule.shown_by and (action in READING or action in rule.shown_for):
            if isinstance(row, UUID):  # evaluated without the row, so that hidden and missing rows take the same time
                condition = Q(Exists(self.model._base_manager.filter(condition, pk=row)))
            condition |= self._exists(rule.shown_by, _below("organisation__scope_path", paths), row)
        return condition

    def _unprotected(self, rule: ScopeRule) -> Q:
        """Selects rows of persons who are not protected, and rows without a person.

        Where a row may be without a person, an index of the few protected persons is read instead of the person of each row.
        """
        if not rule.holder:
            return Q(**{rule.protected: False})
        people = cast(Any, self.model._meta.get_field(rule.holder)).related_model._base_manager
        flag = rule.protected.removeprefix(f"{rule.holder}__")
        return ~Q(Exists(people.filter(**{flag: True}, pk=OuterRef(rule.holder))))

    def _exists(self, relation: str, condition: Q, row: OuterRef | UUID) -> Q:
        field = cast(Any, self.model._meta.get_field(relation))
        related = field.related_model._base_manager.filter(condition, **{field.field.name: row})
        return Q(Exists(related))


class ScopedManager(models.Manager[_Model]):
    """The manager of every model with a scope rule."""

    def get_queryset(self) -> ScopedQuerySet[_Model]:
        """Returns all rows as a scoped queryset."""
        return ScopedQuerySet(self.model, using=self._db)

    def visible_to(self, actor: Actor, action: Action = Action.VIEW, *, pk: UUID | None = None) -> ScopedQuerySet[_Model]:
        """Returns the rows on which `actor` may do `action`; with `pk`, only that row."""
        return self.get_queryset().visible_to(actor, action, pk=pk)

    def with_rights(self, actor: Actor, actions: Iterable[Action]) -> ScopedQuerySet[_Model]:
        """Annotates all rows with what `actor` may do to each."""
        return self.get_queryset().with_rights(actor, actions)


def _own(rule: ScopeRule, actor: Actor, action: Action) -> Q:
    """Selects a holder's own rows, protected or not, or those of a card, for actions that they may do; otherwise none."""
    if actor.kind == "card":
        allowed = rule.carrier and action in CARD_ALLOWED
        return Q(**{rule.carrier.replace(".", "__"): actor.carrier_id}) if allowed else _NOTHING
    if not rule.person or action not in HOLDER_ALLOWED:
        return _NOTHING
    return Q(**{rule.person.replace(".", "__"): actor.person_id})


def _living(rule: ScopeRule, action: Action) -> Q:
    """Excludes closed places if `action` configures something; otherwise selects all rows."""
    return Q(**{rule.ended: None}) if rule.ended and action in CONFIGURING else Q()


def outermost(scope_paths: list[str]) -> list[str]:
    """Returns `scope_paths` sorted, without paths below another of them."""
    kept: list[str] = []
    for path in sorted(set(scope_paths)):
        if not kept or not path.startswith(kept[-1]):
            kept.append(path)
    return kept


def _below(lookup: str, scope_paths: list[str]) -> Q:
    condition = _NOTHING
    for path in scope_paths:
        condition |= Q(**{f"{lookup}__startswith": path})
    return condition

"""What an actor sees: the one place where scope and the protection of persons become a database condition.

Scope flows downward only: a grant reaches every row whose organisation's `scope_path` begins with the grant's.
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
from issuance.authz.roles import CONFIGURING, EXTENDED_REACH, HOLDER_ALLOWED, READING, SYSTEM_ALLOWED, Action

_Model = TypeVar("_Model", bound=models.Model, covariant=True)

_NOTHING = Q(pk__in=[])
_EVERYTHING = ~_NOTHING
_ROW = OuterRef("pk")


@dataclass(frozen=True)
class ScopeRule:
    """How a model's rows hang on the tree of organisations. Each model declares one as `scope`.

    `path` looks up a `scope_path`; `through` names reverse relations that have it instead (a person's organisations).
    `shown_by` is a reverse relation whose rows in scope show this row, for reading only. `protected` looks up the flag of a
    protected person; `holder` looks up the person where there may be none, and without one nobody is protected. `person` is the
    attribute path to a person's id; `supplier` the column with the owning client's reference.
    `supplied_for` is a reverse relation to orders: their supplier reads this row while an order is in one of the
    `supplied_states` that the orders' own rule names.
    `ended` is the column that tells when a place was ended: nobody sets anything up there.
    """

    path: str
    through: tuple[str, ...] = ()
    shown_by: str = ""
    protected: str = ""
    holder: str = ""
    person: str = ""
    supplier: str = ""
    supplied_for: str = ""
    supplied_states: tuple[str, ...] = ()
    ended: str = ""


class Scoped(Protocol):
    """A model class with a scope rule."""

    scope: ClassVar[ScopeRule]


class ScopedQuerySet(models.QuerySet[_Model]):
    """A queryset that knows what an actor may see."""

    def visible_to(self, actor: Actor, action: Action = Action.VIEW, *, pk: UUID | None = None) -> Self:
        """Rows on which `actor` may do `action`. A hidden row and a missing one cannot be told apart by the result.

        With `pk`, that row alone: what is asked of related rows then names it, so that a hidden row costs no more than a
        missing one (S46). The planner could not know that there is one row, and read all that hangs on any.
        """
        queryset = self if pk is None else self.filter(pk=pk)
        return queryset._visible_to(actor, action, _ROW if pk is None else pk)

    def _visible_to(self, actor: Actor, action: Action, row: OuterRef | UUID) -> Self:
        rule = cast(Scoped, self.model).scope
        if actor.kind == "system":
            return self.filter(_living(rule, action)) if action in SYSTEM_ALLOWED[actor.ref] else self.none()
        if actor.kind == "client":
            return self._supplied_by(actor, action, rule, row)
        if actor.kind == "holder":
            return self.filter(_own(rule, actor, action))
        if not any(grant.allows(action) for grant in actor.grants):
            return self.none()
        return self.filter(self._for_person(actor, action, rule, row))

    def with_rights(self, actor: Actor, actions: Iterable[Action]) -> Self:
        """The rows with `may_<action>` for each action: whether `visible_to` for a person's roles would keep the row.

        So a page of many rows asks once for all that it offers on them.
        """
        rule = cast(Scoped, self.model).scope
        rights = {}
        for action in actions:
            condition = self._for_person(actor, action, rule)
            rights[f"may_{action}"] = Case(When(condition, then=True), default=False, output_field=BooleanField())
        return self.annotate(**rights)

    def with_own_scope(self, actor: Actor) -> Self:
        """The rows with `in_own_scope`: whether the actor, a person, reaches them themselves, not only by what hangs on them."""
        condition = self._for_person(actor, Action.VIEW, replace(cast(Scoped, self.model).scope, shown_by=""))
        return self.annotate(in_own_scope=Case(When(condition, then=True), default=False, output_field=BooleanField()))

    def _supplied_by(self, actor: Actor, action: Action, rule: ScopeRule, row: OuterRef | UUID) -> Self:
        """A supplier's own rows, and to read what its orders are made by. A client sees nothing else in the portal (S29)."""
        if action not in (Action.SUPPLY, Action.READ_SUPPLIED) or not rule.supplier:
            return self.none()
        condition = Q(**{rule.supplier: actor.client_ref})
        if action is Action.READ_SUPPLIED and rule.supplied_for:
            orders = cast(Any, self.model._meta.get_field(rule.supplied_for)).related_model.scope
            under_way = Q(supplier_ref=actor.client_ref, state__in=orders.supplied_states)
            condition |= self._exists(rule.supplied_for, under_way, row)
        return self.filter(condition)

    def _for_person(self, actor: Actor, action: Action, rule: ScopeRule, row: OuterRef | UUID = _ROW) -> Q:
        """Rows that a person's roles reach, and those of the persons whom he found by an extended search.

        `row` is what related rows are asked to hang on: whatever row is looked at, or a given one.

        To search extended is to look everywhere; what is found opens for EXTENDED_REACH only, and for protected persons only
        with the add-on on a role that may search so.
        """
        if actor.kind == "holder":
            return _own(rule, actor, action)
        grants = [grant for grant in actor.grants if grant.allows(action)]
        if action is Action.EXTENDED_SEARCH:
            grants = [replace(grant, scope_path="/") for grant in grants]
        condition = self._granted(grants, action, rule, row) if grants else _NOTHING
        extended = [grant for grant in grants if grant.allows(Action.EXTENDED_SEARCH)]
        if extended and action in EXTENDED_REACH and rule.person and actor.extended_persons:
            found = Q(**{f"{rule.person.replace('.', '__')}__in": actor.extended_persons})
            if rule.protected and not any(grant.protected_persons for grant in extended):
                found &= Q(**{rule.protected: False})  # of persons that were found: there is a holder
            condition |= found
        return condition & _living(rule, action)

    def _granted(self, grants: list[Grant], action: Action, rule: ScopeRule, row: OuterRef | UUID) -> Q:
        everyone = [grant for grant in grants if grant.protected_persons or not rule.protected]
        condition = self._within([grant.scope_path for grant in everyone], action, rule, row) if everyone else _NOTHING
        if len(everyone) < len(grants):
            others = [grant.scope_path for grant in grants if grant not in everyone]
            condition |= self._within(others, action, rule, row) & _unprotected(rule)
        return condition

    def _within(self, scope_paths: list[str], action: Action, rule: ScopeRule, row: OuterRef | UUID) -> Q:
        """Rows below any of `scope_paths`."""
        paths = _outermost(scope_paths)
        if paths == ["/"]:
            return _EVERYTHING
        own = _below(rule.path, paths)
        condition = own
        if rule.through:
            condition = reduce(or_, (self._exists(relation, own, row) for relation in rule.through))
        if rule.shown_by and action in READING:
            if isinstance(row, UUID):  # asked before the row is looked for, so that both are asked whether or not it is there
                condition = Q(Exists(self.model._base_manager.filter(condition, pk=row)))
            condition |= self._exists(rule.shown_by, _below("organisation__scope_path", paths), row)
        return condition

    def _exists(self, relation: str, condition: Q, row: OuterRef | UUID) -> Q:
        field = cast(Any, self.model._meta.get_field(relation))
        related = field.related_model._base_manager.filter(condition, **{field.field.name: row})
        return Q(Exists(related))


class ScopedManager(models.Manager[_Model]):
    """The manager of every model with a scope rule."""

    def get_queryset(self) -> ScopedQuerySet[_Model]:
        """All rows, as a queryset that knows scope."""
        return ScopedQuerySet(self.model, using=self._db)

    def visible_to(self, actor: Actor, action: Action = Action.VIEW, *, pk: UUID | None = None) -> ScopedQuerySet[_Model]:
        """Rows on which `actor` may do `action`; with `pk`, that one alone."""
        return self.get_queryset().visible_to(actor, action, pk=pk)

    def with_rights(self, actor: Actor, actions: Iterable[Action]) -> ScopedQuerySet[_Model]:
        """All rows, each with what `actor` may do to it."""
        return self.get_queryset().with_rights(actor, actions)


def _own(rule: ScopeRule, actor: Actor, action: Action) -> Q:
    """Rows of the holder themself, whether protected or not, for what holders may do; otherwise none."""
    if not rule.person or action not in HOLDER_ALLOWED:
        return _NOTHING
    return Q(**{rule.person.replace(".", "__"): actor.person_id})


def _unprotected(rule: ScopeRule) -> Q:
    """Rows of persons who are not protected, and of nobody."""
    condition = Q(**{rule.protected: False})
    return condition | Q(**{f"{rule.holder}__isnull": True}) if rule.holder else condition


def _living(rule: ScopeRule, action: Action) -> Q:
    """Rows of places that are not ended, where something would be set up; otherwise all."""
    return Q(**{rule.ended: None}) if rule.ended and action in CONFIGURING else Q()


def _outermost(scope_paths: list[str]) -> list[str]:
    """`scope_paths` without those that lie below another of them, sorted."""
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

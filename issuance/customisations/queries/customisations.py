"""Card customisations: the list, a single one, and the one that applies to an organisation (rules/issuance 7.6).

An actor who sees an organisation sees its customisation. Everyone who sees configuration sees the generic one.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Collate
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from authn import service as authn
from issuance.authz import Action, Actor, policy
from issuance.authz.scope import ScopedQuerySet
from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.customisations import missing
from issuance.customisations.services.effective import effective_customisations
from issuance.customisations.services.removal import Replacing, replacing
from issuance.orders.services.order_checks import require_customisation
from issuance.orders.services.uses import queued_with
from issuance.organisations.models import Organisation
from issuance.organisations.queries.areas import OrganisationLine, organisation_line
from issuance.organisations.queries.places import Above, is_seen, paths_above
from issuance.records.domain import wording
from issuance.records.queries.history import names_of
from siths_portal.lib.errors import Conflict
from siths_portal.lib.lists import Rows

NAMED = 10
"""The maximum number of inheriting organisations that are named; the page shows only a count of the others."""

STATES: Mapping[str, str] = {
    "verified": _("Verifierad"),
    "waiting": _("Väntar på verifiering"),
    "incomplete": _("Ofullständig"),
}
_TAGS = {"verified": "active", "waiting": "queued", "incomplete": "missing"}
_WHOLE = ~Q(supplier_ref="") & Q(logotype__isnull=False) & ~Q(issuer_number="") & ~Q(back_text="")
_VERIFIED = Q(verified_at__isnull=False) & ~Q(supplier_ref="")
_IN_STATE = {"verified": _VERIFIED, "waiting": ~_VERIFIED & _WHOLE, "incomplete": ~_VERIFIED & ~_WHOLE}
_RIGHTS = (Action.CREATE_ORGANISATION, Action.VERIFY_CUSTOMISATION)


@dataclass(frozen=True)
class Standing:
    """The progress of a customisation: `state` is one of STATES."""

    state: str
    verified_on: dt.date | None

    @property
    def text(self) -> str:
        """The label of the state."""
        return gettext(STATES[self.state])

    @property
    def tag(self) -> str:
        """The kind of tag for the state."""
        return _TAGS[self.state]


@dataclass(frozen=True)
class CustomisationLine:
    """A customisation in the list. `organisation` is its owner, empty for the generic one and for one that nobody has."""

    id: UUID
    name: str
    customisation_id: str
    issuer_number: str
    organisation: str
    generic: bool
    standing: Standing


@dataclass(frozen=True)
class CustomisationFacts:
    """A customisation, with the actor's rights. `logotype` is its PNG; `missing` is a subset of `services.customisations.PARTS`.

    `supplier` is the name of the only supplier that makes such cards, empty if none has been chosen yet.
    """

    id: UUID
    version: int
    customisation_id: str
    name: str
    issuer_number: str
    back_text: str
    supplier_ref: str
    supplier: str
    generic: bool
    logotype: bytes
    logotype_sha256: str
    missing: tuple[str, ...]
    standing: Standing
    verified_by: str
    may_edit: bool
    may_verify: bool


@dataclass(frozen=True)
class Holding:
    """The customisation that applies to an organisation, or None; `opens` is True if the actor may open it.

    `own` is True if it is the organisation's own. `above` is the organisation from which it is inherited, None if it is the
    organisation's own or the generic one. `pending` is the organisation's own, which applies once it is verified.
    """

    facts: CustomisationFacts | None
    own: bool
    above: Above | None
    opens: bool
    pending: CustomisationFacts | None = None


@dataclass(frozen=True)
class Removal:
    """The consequences of removing an organisation's own customisation.

    `after` is the customisation that applies then, inherited from `above`; None without one. `along` counts the organisations
    below that inherit it. `queued` counts the orders that no supplier has accepted; they keep the old customisation.
    """

    replacing: Replacing
    name: str
    customisation_id: str
    after: CustomisationFacts | None
    above: Above | None
    along: int
    queued: int


@dataclass(frozen=True)
class Replaced:
    """The customisation that an organisation uses now, until its own new one is verified (ADR 0189).

    `above` is the organisation from which it is inherited, None for the generic one. `below` names the organisations below that
    inherit it and will get the new one too, at most `NAMED`; `more` counts the others.
    """

    name: str
    above: Above | None
    below: tuple[str, ...]
    more: int


def customisations(*, actor: Actor, state: str = "") -> Rows[CardCustomisation, CustomisationLine]:
    """Returns the customisations that the actor sees and the generic one, filtered by `state` if given. Raises Forbidden.

    Callers may sort by `sort_name`, in Swedish order.
    """
    policy.reach(actor, Action.VIEW_CONFIGURATION)
    seen = CardCustomisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).values("pk")
    rows = CardCustomisation.objects.filter(Q(pk__in=seen) | Q(generic=True), _IN_STATE.get(state, Q()))
    return Rows(rows.annotate(sort_name=Collate("name", "sv-x-icu")), lambda found: _lines(actor, found))


def _lines(actor: Actor, found: Sequence[CardCustomisation]) -> list[CustomisationLine]:
    owners = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION)
    owners = owners.filter(Q(customisation__in=found) | Q(pending_customisation__in=found)).order_by("-scope_path")
    names: dict[UUID | None, str] = {}
    for own, pending, name in owners.values_list("customisation_id", "pending_customisation_id", "name"):
        names |= dict.fromkeys((own, pending), name)
    return [
        CustomisationLine(
            row.id,
            row.name,
            row.customisation_id,
            row.issuer_number,
            "" if row.generic else names.get(row.id, ""),
            row.generic,
            _standing(row),
        )
        for row in found
    ]


def customisation(*, actor: Actor, customisation_id: UUID) -> CustomisationFacts:
    """Returns a customisation that the actor sees, or the generic one. Raises NotFound, Forbidden."""
    rows = CardCustomisation.objects.with_rights(actor, _RIGHTS).select_related("logotype")
    row = rows.filter(pk=customisation_id, generic=True).first()
    if row is None:
        row = policy.get(actor, Action.VIEW_CONFIGURATION, rows, customisation_id)
    else:
        policy.reach(actor, Action.VIEW_CONFIGURATION)
    return _facts(actor, row)


def organisations_with(*, actor: Actor, customisation_id: UUID) -> Rows[Organisation, OrganisationLine]:
    """Returns the organisations, as far as the actor sees them, that have the customisation themselves and do not inherit it."""
    rows = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(customisation=customisation_id)
    return Rows(rows.select_related("area"), lambda found: [organisation_line(row) for row in found])


def pending_at(*, actor: Actor, customisation_id: UUID) -> Above | None:
    """Returns the organisation for which the customisation is pending, if the actor sees it; None otherwise."""
    rows = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(pending_customisation=customisation_id)
    row = rows.first()
    return Above(row.id, row.name, seen=True) if row else None


def holding(*, actor: Actor, organisation_id: UUID) -> Holding:
    """Returns the customisation that applies to an organisation that the actor sees, including its look if it is inherited.

    Raises NotFound, Forbidden.
    """
    organisation = policy.get(actor, Action.VIEW_CONFIGURATION, Organisation.objects, organisation_id)
    found = effective_customisations([organisation]).get(organisation.id)
    rows: ScopedQuerySet[CardCustomisation] = CardCustomisation.objects.with_rights(actor, _RIGHTS).select_related("logotype")
    waits = rows.filter(pk=organisation.pending_customisation_id).first() if organisation.pending_customisation_id else None
    pending = _facts(actor, waits) if waits else None
    if found is None:
        return Holding(None, own=False, above=None, opens=False, pending=pending)
    facts = _facts(actor, rows.get(pk=found.pk))
    own = organisation.customisation_id == found.pk
    above = None if own else _above(actor, organisation, found)
    return Holding(facts, own and not found.generic, above, found.generic or own or (above is not None and above.seen), pending)


def removal(*, actor: Actor, organisation_id: UUID) -> Removal:
    """Returns the consequences of removing an organisation's own customisation.

    Raises NotFound, Forbidden, and Conflict like `services.removal.replacing`.
    """
    rows = Organisation.objects.select_related("customisation", "parent")
    organisation = policy.get(actor, Action.CREATE_ORGANISATION, rows, organisation_id)
    replaced = replacing(organisation)
    both = CardCustomisation.objects.with_rights(actor, _RIGHTS).select_related("logotype")
    found = {row.id: row for row in both.filter(pk__in=[pk for pk in (replaced.own, replaced.above) if pk])}
    after = found[replaced.above] if replaced.above else None
    return Removal(
        replacing=replaced,
        name=found[replaced.own].name,
        customisation_id=found[replaced.own].customisation_id,
        after=_facts(actor, after) if after else None,
        above=_above(actor, organisation, after) if after else None,
        along=len(_inheriting(organisation)),
        queued=queued_with(found[replaced.own]).count(),
    )


def replaced_by_own(*, actor: Actor, organisation_id: UUID) -> Replaced | None:
    """Returns the customisation that a new own one would replace.

    Returns None if the organisation cannot order cards now, or already has its own customisation. Raises NotFound, Forbidden.
    """
    rows = Organisation.objects.select_related("area")
    organisation = policy.get(actor, Action.CREATE_ORGANISATION, rows, organisation_id)
    try:
        found = require_customisation(organisation)
    except Conflict:
        return None
    if organisation.customisation_id == found.id and not found.generic:
        return None
    below = _inheriting(organisation)
    above = None if found.generic else _above(actor, organisation, found)
    return Replaced(found.name, above, tuple(below[:NAMED]), len(below[NAMED:]))


def _inheriting(organisation: Organisation) -> list[str]:
    """Returns the names of the open organisations below that inherit this organisation's customisation."""
    below = Organisation.objects.filter(scope_path__startswith=organisation.scope_path).exclude(pk=organisation.pk)
    others = tuple(below.filter(customisation__isnull=False).values_list("scope_path", flat=True))
    rows = below.filter(closed_at=None).order_by("name", "pk").values_list("scope_path", "name")
    return [name for path, name in rows if not path.startswith(others)]


def _above(actor: Actor, organisation: Organisation, found: CardCustomisation) -> Above | None:
    rows = Organisation.objects.filter(customisation=found, scope_path__in=paths_above(organisation.scope_path))
    row = rows.order_by("-scope_path").first()
    return Above(row.id, row.name, is_seen(actor, row.scope_path)) if row else None


def _facts(actor: Actor, row: CardCustomisation) -> CustomisationFacts:
    may_edit: bool = row.may_create_organisation  # type: ignore[attr-defined]
    may_verify: bool = row.may_verify_customisation  # type: ignore[attr-defined]
    who = names_of(actor, {row.verified_by_ref}).get(row.verified_by_ref, "") if row.verified_by_ref else ""
    return CustomisationFacts(
        id=row.id,
        version=row.version,
        customisation_id=row.customisation_id,
        name=row.name,
        issuer_number=row.issuer_number,
        back_text=row.back_text,
        supplier_ref=row.supplier_ref,
        supplier=_supplier(row.supplier_ref),
        generic=row.generic,
        logotype=bytes(row.logotype.content) if row.logotype else b"",
        logotype_sha256=row.logotype_id or "",
        missing=missing(row),
        standing=_standing(row),
        verified_by=who,
        may_edit=may_edit,
        may_verify=may_edit if row.generic else may_verify,
    )


def _supplier(ref: str) -> str:
    return authn.client_names([ref]).get(ref, ref) if ref else ""


def _standing(row: CardCustomisation) -> Standing:
    if row.verified_at is not None and row.supplier_ref:
        return Standing("verified", wording.day(row.verified_at))
    return Standing("incomplete" if missing(row) else "waiting", None)

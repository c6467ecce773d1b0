"""Card customisations: the list of them, one with how it looks, and which one holds for an organisation (rules/issuance 7.6).

They are seen where an organisation that has one is; the generic one is everybody's who sees configuration.
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
from issuance.customisations.services.giving_up import Replacing, replacing
from issuance.orders.services.order_checks import require_customisation
from issuance.orders.services.uses import queued_with
from issuance.organisations.models import Organisation
from issuance.organisations.queries.areas import OrganisationLine, organisation_line
from issuance.organisations.queries.places import Above, is_seen, paths_above
from issuance.records.queries import words
from issuance.records.queries.history import names_of
from siths_portal.lib.errors import Conflict
from siths_portal.lib.lists import Rows

NAMED = 10
"""So many of the organisations that follow another are named; the rest is counted."""

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
    """How far a customisation has come: `state` is one of STATES."""

    state: str
    verified_on: dt.date | None

    @property
    def text(self) -> str:
        """The state in words."""
        return gettext(STATES[self.state])

    @property
    def tag(self) -> str:
        """The kind of tag that the state is drawn as."""
        return _TAGS[self.state]


@dataclass(frozen=True)
class CustomisationLine:
    """A customisation in the list; `organisation` is whose it is, empty for the generic one and for one that is nobody's."""

    id: UUID
    name: str
    customisation_id: str
    issuer_number: str
    organisation: str
    generic: bool
    standing: Standing


@dataclass(frozen=True)
class CustomisationFacts:
    """A customisation, with what the actor may do to it. `logotype` is its PNG; `missing` of services.configuration PARTS.

    `supplier` is the name of the supplier that alone makes such cards, empty if one must be chosen first.
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
    """The customisation that holds for an organisation, None where there is none; whose it is, and whether the actor may open it.

    `own` where it is the organisation's; `above` the place further up that it comes from, None where it is its own or generic.
    `pending` is the organisation's own that holds once it is verified.
    """

    facts: CustomisationFacts | None
    own: bool
    above: Above | None
    opens: bool
    pending: CustomisationFacts | None = None


@dataclass(frozen=True)
class GivingUp:
    """What comes of an organisation's giving its own customisation up.

    `after` is the one that holds then, None where there is none, from `above`; `along` are the organisations below that follow,
    `queued` the orders that no supplier has accepted and that keep the old one.
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
    """The customisation by which an organisation orders cards now, and until its own is verified (ADR 0189).

    `above` is the place that it comes from, None for the generic one. `below` are those under it that order by the same and
    get the new one too, by name and at most `NAMED`; `more` how many others.
    """

    name: str
    above: Above | None
    below: tuple[str, ...]
    more: int


def customisations(*, actor: Actor, state: str = "") -> Rows[CardCustomisation, CustomisationLine]:
    """The customisations in sight and the generic one, of one state if it is given. Raises Forbidden.

    They can be ordered by `sort_name`, the Swedish way.
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
    """A customisation in sight, or the generic one. Raises NotFound, Forbidden."""
    rows = CardCustomisation.objects.with_rights(actor, _RIGHTS).select_related("logotype")
    row = rows.filter(pk=customisation_id, generic=True).first()
    if row is None:
        row = policy.get(actor, Action.VIEW_CONFIGURATION, rows, customisation_id)
    else:
        policy.reach(actor, Action.VIEW_CONFIGURATION)
    return _facts(actor, row)


def organisations_with(*, actor: Actor, customisation_id: UUID) -> Rows[Organisation, OrganisationLine]:
    """The organisations in sight that have it themselves; what lies below them and has none of its own has it too."""
    rows = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(customisation=customisation_id)
    return Rows(rows.select_related("area"), lambda found: [organisation_line(row) for row in found])


def pending_at(*, actor: Actor, customisation_id: UUID) -> Above | None:
    """Returns the organisation in sight whose own the customisation becomes once it is verified, None if it is not pending."""
    rows = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(pending_customisation=customisation_id)
    row = rows.first()
    return Above(row.id, row.name, seen=True) if row else None


def holding(*, actor: Actor, organisation_id: UUID) -> Holding:
    """Which customisation holds for an organisation that the actor sees; how it looks is shown also where it comes from above.

    Raises NotFound, Forbidden.
    """
    organisation = policy.get(actor, Action.VIEW_CONFIGURATION, Organisation.objects.all(), organisation_id)
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


def giving_up(*, actor: Actor, organisation_id: UUID) -> GivingUp:
    """What comes of it if an organisation gives its own customisation up.

    Raises NotFound, Forbidden, and Conflict as `services.configuration.replacing` where it cannot.
    """
    rows = Organisation.objects.select_related("customisation", "parent")
    organisation = policy.get(actor, Action.CREATE_ORGANISATION, rows, organisation_id)
    told = replacing(organisation)
    both = CardCustomisation.objects.with_rights(actor, _RIGHTS).select_related("logotype")
    found = {row.id: row for row in both.filter(pk__in=[pk for pk in (told.own, told.above) if pk])}
    after = found[told.above] if told.above else None
    return GivingUp(
        replacing=told,
        name=found[told.own].name,
        customisation_id=found[told.own].customisation_id,
        after=_facts(actor, after) if after else None,
        above=_above(actor, organisation, after) if after else None,
        along=len(_following(organisation)),
        queued=queued_with(found[told.own]).count(),
    )


def replaced_by_own(*, actor: Actor, organisation_id: UUID) -> Replaced | None:
    """The customisation that an own one would replace at an organisation; None if it cannot order cards by one now, or has an
    own already.

    Raises NotFound, Forbidden.
    """
    rows = Organisation.objects.select_related("area")
    organisation = policy.get(actor, Action.CREATE_ORGANISATION, rows, organisation_id)
    try:
        found = require_customisation(organisation)
    except Conflict:
        return None
    if organisation.customisation_id == found.id and not found.generic:
        return None
    below = _following(organisation)
    above = None if found.generic else _above(actor, organisation, found)
    return Replaced(found.name, above, tuple(below[:NAMED]), len(below[NAMED:]))


def _following(organisation: Organisation) -> list[str]:
    """The names of the organisations below, but for ended ones, that have the customisation of this one, since none lies nearer
    to them."""
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
        return Standing("verified", words.day(row.verified_at))
    return Standing("incomplete" if missing(row) else "waiting", None)

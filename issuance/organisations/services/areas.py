"""Issuing areas (rules/issuance 7.2)."""

from uuid import UUID

from django.db import transaction
from django.db.models import ProtectedError, Q

from issuance.authz import Action, Actor, policy
from issuance.organisations.models import FormerIssuer, IssuingArea, Organisation
from issuance.organisations.services.tree import lock_tree, segment
from issuance.records.services.editing import edit, insert, line, record, refused_as
from siths_portal.lib import clock
from siths_portal.lib.database.locks import lock_until_commit
from siths_portal.lib.errors import Conflict, Invalid

_TAKEN = ("area-exists", "Det finns redan ett utgivningsområde med namnet. Välj ett annat namn.")


@transaction.atomic(durable=True)
def create_area(*, actor: Actor, name: str, invoice_reference: str = "") -> IssuingArea:
    """Creates an issuing area without an issuing organisation. Raises Forbidden, Invalid, Conflict if the name is taken."""
    policy.require_global(actor, Action.CREATE_ORGANISATION)
    name, invoice_reference = _values(name, invoice_reference)
    _require_free_name(name)
    area = IssuingArea(name=name, invoice_reference=invoice_reference, created_at=clock.now())
    area.scope_path = f"/{segment('a', area.id)}/"
    insert(area, *_TAKEN, field="name")
    record(actor, "area.created", area, name=name, invoice_reference=invoice_reference)
    return area


@transaction.atomic(durable=True)
def edit_area(
    *,
    actor: Actor,
    area_id: UUID,
    version: int,
    name: str,
    invoice_reference: str,
    issuing_organisation_id: UUID | None,
) -> IssuingArea:
    """Edits an area that was read at `version`.

    The issuing organisation is one of the area's own top organisations and cannot be removed again. The previous one is kept for
    the invoices of past months (ADR 0037). Raises NotFound, Forbidden, Invalid, Outdated, Conflict if the name is taken.
    """
    rows = IssuingArea.objects.select_for_update(of=("self",), no_key=True)
    area = policy.get(actor, Action.CREATE_ORGANISATION, rows, area_id)
    name, invoice_reference = _values(name, invoice_reference)
    changes = {"name": name, "invoice_reference": invoice_reference, "issuing_organisation_id": issuing_organisation_id}
    issuer = area.issuing_organisation_id
    if name != area.name:
        _require_free_name(name, but=area.id)
    if issuing_organisation_id != issuer and version == area.version:  # otherwise `edit` raises Outdated
        _require_issuer(area, issuing_organisation_id)
    with refused_as(*_TAKEN, field="name"):
        edit(area, version=version, changes=changes, actor=actor, action="area.changed")
    if issuer is not None and issuer != issuing_organisation_id:
        FormerIssuer.objects.create(area=area, organisation_id=issuer, until=clock.now())
    return area


@transaction.atomic(durable=True)
def remove_area(*, actor: Actor, area_id: UUID) -> None:
    """Removes an area in which nothing was ever configured, such as one created by mistake. The event keeps its name.

    Raises NotFound, Forbidden, Conflict if it has or had organisations or offices, closed ones included.
    """
    lock_tree()  # prevents new organisations and offices in the area until the commit
    area = policy.get(actor, Action.CREATE_ORGANISATION, IssuingArea.objects.select_for_update(of=("self",)), area_id)
    record(actor, "area.removed", area, name=area.name, invoice_reference=area.invoice_reference)
    try:
        area.delete()
    except ProtectedError:
        message = "Utgivningsområdet har eller har haft organisationer eller kontor och kan inte tas bort."
        raise Conflict("area-in-use", message) from None


def _require_free_name(name: str, *, but: UUID | None = None) -> None:
    """Raises Conflict if an area other than `but` has the name, ignoring case. Serialises all changes of area names."""
    lock_until_commit(f"{IssuingArea._meta.db_table}.name")
    if IssuingArea.objects.filter(~Q(pk=but), name__iexact=name).exists():
        code, message = _TAKEN
        raise Conflict(code, message, fields={"name": [message]})


def _require_issuer(area: IssuingArea, organisation_id: UUID | None) -> None:
    """Raises Invalid unless the organisation may issue in the area. Locks it, so it cannot be moved away."""
    tops = Organisation.objects.select_for_update(of=("self",), no_key=True).filter(area=area, parent=None, closed_at=None)
    if organisation_id is None or not tops.filter(pk=organisation_id).exists():
        message = "Välj en av utgivningsområdets egna organisationer."
        raise Invalid("issuing-organisation", message, fields={"issuing_organisation": [message]})


def _values(name: str, invoice_reference: str) -> tuple[str, str]:
    return (
        line(name, "name", longest=100, missing="Ange utgivningsområdets namn."),
        line(invoice_reference, "invoice_reference", longest=50),
    )

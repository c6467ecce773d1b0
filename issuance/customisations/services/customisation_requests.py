"""Issuers' requests for card customisations, and the generic one in the meantime (ADR 0189)."""

from collections.abc import Callable
from uuid import UUID

from django.db import transaction
from django.db.models import F

from issuance.authz import Action, Actor, policy
from issuance.customisations.models import CardCustomisation, CustomisationRequest
from issuance.customisations.services.customisations import answer_request, checked_back_text
from issuance.customisations.services.effective import effective_customisations
from issuance.customisations.services.request_versions import REQUESTED, require_seen
from issuance.organisations.models import IssuingArea, Organisation
from issuance.organisations.services.tree import lock_tree
from issuance.records.models.events import Event
from issuance.records.services.editing import as_fact, edit, lines, record, refuse
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid

NOTE_LIMIT = 500


@transaction.atomic(durable=True)
def request_customisation(
    *, actor: Actor, organisation_id: UUID, back_text: str, logotype_note: str, version: int | None = None
) -> CustomisationRequest:
    """Stores an organisation's request for a new or changed card customisation. Repeating the same request changes nothing.

    It replaces an earlier open request. `version` is the `request_version` that was read; None skips the check. Raises NotFound,
    Forbidden, Invalid by field, Outdated if others have changed or closed the request since.
    """
    organisation = _locked(actor, Action.VERIFY_CUSTOMISATION, organisation_id)
    texts = _checked(back_text, logotype_note)
    open_request = CustomisationRequest.objects.filter(organisation=organisation, answered_at=None).first()
    if open_request is not None and all(getattr(open_request, name) == text for name, text in texts.items()):
        return open_request
    require_seen(organisation, version)
    if open_request is not None:
        open_request.answered_at = clock.now()
        open_request.save(update_fields=["answered_at"])
    row = CustomisationRequest.objects.create(
        organisation=organisation, created_at=clock.now(), created_by_ref=actor.ref, **texts
    )
    record(actor, REQUESTED, organisation, **{name: text for name, text in texts.items() if text})
    return row


@transaction.atomic(durable=True)
def withdraw_customisation_request(*, actor: Actor, organisation_id: UUID, version: int | None = None) -> bool:
    """Withdraws the organisation's request that was read at `version`. Returns True if there was one.

    Raises NotFound, Forbidden, Outdated if the request has changed.
    """
    return _close(actor, _locked(actor, Action.VERIFY_CUSTOMISATION, organisation_id), version)


@transaction.atomic(durable=True)
def close_customisation_request(*, actor: Actor, organisation_id: UUID, version: int | None = None) -> bool:
    """Closes, for the administration, the organisation's request that was read at `version`. Returns True if there was one.

    Raises NotFound, Forbidden, Outdated if the request has changed.
    """
    return _close(actor, _locked(actor, Action.CREATE_ORGANISATION, organisation_id), version)


def _close(actor: Actor, organisation: Organisation, version: int | None) -> bool:
    """Closes the open request, if any. If others have already closed it, that is not a conflict."""
    if CustomisationRequest.objects.filter(organisation=organisation, answered_at=None).exists():
        require_seen(organisation, version)
    return answer_request(actor, organisation)


@transaction.atomic(durable=True)
def use_generic_customisation(*, actor: Actor, organisation_id: UUID) -> Organisation:
    """Gives an organisation without a card customisation the generic one until it has its own; also a top organisation.

    Raises NotFound, Forbidden, Conflict if a customisation applies already, or if there is no verified generic one.
    """
    row = _locked(actor, Action.VERIFY_CUSTOMISATION, organisation_id)
    if row.id in effective_customisations([row]):
        raise Conflict("customisation-holds", "Organisationen har redan en kortanpassning.")
    generic = _generic()
    edit(row, version=row.version, changes={"customisation_id": generic.id}, actor=actor, action="organisation.changed")
    return row


@transaction.atomic(durable=True)
def use_generic_customisation_in_area(*, actor: Actor, area_id: UUID) -> list[UUID]:
    """Gives the generic customisation to every top organisation of an area that has none, like `use_generic_customisation`.

    Organisations below inherit it. Returns the ids of those that got it. The number of statements does not depend on the number
    of organisations. Raises NotFound, Forbidden, Conflict if there is no verified generic one.
    """
    area = policy.get(actor, Action.VIEW_CONFIGURATION, IssuingArea.objects, area_id)
    policy.require(actor, Action.VERIFY_CUSTOMISATION, area)
    lock_tree()
    rows = Organisation.objects.visible_to(actor, Action.VERIFY_CUSTOMISATION)
    # The lock re-checks the filter, so an organisation that got its own in the meantime is left out.
    rows = rows.filter(area=area, parent=None, customisation=None).order_by("pk").select_for_update(of=("self",), no_key=True)
    versions = dict(rows.values_list("pk", "version"))
    if not versions:
        return []
    generic = _generic()
    Organisation.objects.filter(pk__in=versions).update(customisation=generic, version=F("version") + 1)
    texts = {"before": {"customisation_id": None}, "after": {"customisation_id": as_fact(generic.id)}}
    Event.record_each(
        ((str(pk), {"version": version + 1, **texts}) for pk, version in versions.items()),
        at=clock.now(),
        actor_ref=actor.ref,
        action="organisation.changed",
        subject_type="organisation",
    )
    return list(versions)


def _generic() -> CardCustomisation:
    generic = CardCustomisation.objects.filter(generic=True, verified_at__isnull=False).first()
    if generic is None:
        raise Conflict("no-generic", "Det finns ingen verifierad generell kortanpassning än. SITHS-förvaltningen skapar den.")
    return generic


def _checked(back_text: str, logotype_note: str) -> dict[str, str]:
    found: dict[str, str] = {}
    wrong: dict[str, list[str]] = {}
    checks: dict[str, Callable[[], str]] = {
        "back_text": lambda: checked_back_text(back_text),
        "logotype_note": lambda: lines(logotype_note, "logotype_note", longest=NOTE_LIMIT),
    }
    for name, check in checks.items():
        try:
            found[name] = check()
        except Invalid as error:
            wrong |= error.fields
    if not wrong and not any(found.values()):
        wrong["back_text"] = ["Skriv den text eller den logotyp som ni önskar."]
    refuse(wrong)
    return found


def _locked(actor: Actor, action: Action, organisation_id: UUID) -> Organisation:
    rows = Organisation.objects.select_for_update(of=("self",), no_key=True)
    return policy.get(actor, action, rows, organisation_id)

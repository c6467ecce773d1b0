"""What an issuer wishes of a card customisation until it is done, and the generic one meanwhile (ADR 0189)."""

from collections.abc import Callable
from uuid import UUID

from django.db import transaction
from django.db.models import F

from issuance.authz import Action, Actor, policy
from issuance.customisations.models import CardCustomisation, CustomisationRequest
from issuance.customisations.services.customisations import answer_request, checked_back_text
from issuance.customisations.services.effective import effective_customisations
from issuance.customisations.services.wishing import REQUESTED, require_seen
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
    """Writes what an organisation wishes of its card customisation, a new one or a changed one; the same again changes nothing.

    It takes the place of what was wished before. `version` is `wish_version` as it was read; left out it is not compared.
    Raises NotFound, Forbidden, Invalid by field, Outdated if others wrote or ended the wish since.
    """
    organisation = _locked(actor, Action.VERIFY_CUSTOMISATION, organisation_id)
    told = _checked(back_text, logotype_note)
    standing = CustomisationRequest.objects.filter(organisation=organisation, answered_at=None).first()
    if standing is not None and all(getattr(standing, name) == text for name, text in told.items()):
        return standing
    require_seen(organisation, version)
    if standing is not None:
        standing.answered_at = clock.now()
        standing.save(update_fields=["answered_at"])
    row = CustomisationRequest.objects.create(organisation=organisation, created_at=clock.now(), created_by_ref=actor.ref, **told)
    record(actor, REQUESTED, organisation, **{name: text for name, text in told.items() if text})
    return row


@transaction.atomic(durable=True)
def withdraw_customisation_request(*, actor: Actor, organisation_id: UUID, version: int | None = None) -> bool:
    """Ends what the organisation wishes, as it was read at `version`; True if there was something.

    Raises NotFound, Forbidden, Outdated if something else is wished now.
    """
    return _ended(actor, _locked(actor, Action.VERIFY_CUSTOMISATION, organisation_id), version)


@transaction.atomic(durable=True)
def close_customisation_request(*, actor: Actor, organisation_id: UUID, version: int | None = None) -> bool:
    """Tells that the administration is done with what the organisation wishes, as it was read at `version`; True if there was
    something.

    Raises NotFound, Forbidden, Outdated if something else is wished now.
    """
    return _ended(actor, _locked(actor, Action.CREATE_ORGANISATION, organisation_id), version)


def _ended(actor: Actor, organisation: Organisation, version: int | None) -> bool:
    """Ends the wish if there is one; whoever ended it, ending it again is no news."""
    if CustomisationRequest.objects.filter(organisation=organisation, answered_at=None).exists():
        require_seen(organisation, version)
    return answer_request(actor, organisation)


@transaction.atomic(durable=True)
def use_generic_customisation(*, actor: Actor, organisation_id: UUID) -> Organisation:
    """Gives an organisation for which no card customisation holds the generic one, until it has its own; also at the top.

    Raises NotFound, Forbidden, Conflict where one holds, or where the generic one is not there or not verified.
    """
    row = _locked(actor, Action.VERIFY_CUSTOMISATION, organisation_id)
    if row.id in effective_customisations([row]):
        raise Conflict("customisation-holds", "Organisationen har redan en kortanpassning.")
    generic = _generic()
    edit(row, version=row.version, changes={"customisation_id": generic.id}, actor=actor, action="organisation.changed")
    return row


@transaction.atomic(durable=True)
def use_generic_customisation_in_area(*, actor: Actor, area_id: UUID) -> list[UUID]:
    """Gives every organisation at the top of an area for which no card customisation holds the generic one, as
    `use_generic_customisation` does one; those below have it from above. Returns those that got it, none where all have one.

    As many statements for many as for one. Raises NotFound, Forbidden, Conflict where the generic one is not there or not
    verified.
    """
    area = policy.get(actor, Action.VIEW_CONFIGURATION, IssuingArea.objects.all(), area_id)
    policy.require(actor, Action.VERIFY_CUSTOMISATION, area)
    lock_tree()
    rows = Organisation.objects.visible_to(actor, Action.VERIFY_CUSTOMISATION)
    # One that got its own while this waited for its lock no longer fits, and is left alone.
    rows = rows.filter(area=area, parent=None, customisation=None).order_by("pk").select_for_update(of=("self",), no_key=True)
    versions = dict(rows.values_list("pk", "version"))
    if not versions:
        return []
    generic = _generic()
    Organisation.objects.filter(pk__in=versions).update(customisation=generic, version=F("version") + 1)
    told = {"before": {"customisation_id": None}, "after": {"customisation_id": as_fact(generic.id)}}
    Event.record_each(
        ((str(pk), {"version": version + 1, **told}) for pk, version in versions.items()),
        at=clock.now(),
        actor_ref=actor.ref,
        action="organisation.changed",
        subject_type="organisation",
    )
    return list(versions)


def _generic() -> CardCustomisation:
    generic = CardCustomisation.objects.filter(generic=True, verified_at__isnull=False).first()
    if generic is None:
        raise Conflict("no-generic", "Det finns ingen verifierad generell kortanpassning än. Förvaltningen skapar den.")
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

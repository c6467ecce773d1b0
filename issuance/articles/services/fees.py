"""The subscription fee (abonnemangsavgift) as a dated value, and its corrections (ADR 0037).

Billing reads the value just before a month's end. So the value of a day can be corrected until its month ends, and nothing that
was invoiced changes.
"""

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from django.db import transaction

from issuance.articles.models import SubscriptionFee
from issuance.authz import Action, Actor, policy
from issuance.organisations.models import Organisation
from issuance.organisations.services.organisations import NewOrganisation
from issuance.records.models.events import Event
from issuance.records.services.editing import Change, Outdated, record
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid

LATEST_DAYS = 10 * 365
"""A fee that begins more days ahead than this is refused as a typing error."""

_DAY = dt.timedelta(days=1)
_FIELD = "charged"
_FEE_SET = "organisation.fee_set"


@transaction.atomic(durable=True)
def set_subscription_fee(
    *, actor: Actor, organisation_id: UUID, charged: bool, valid_from: dt.datetime, version: int | None = None
) -> SubscriptionFee:
    """Sets the subscription fee from a moment on; a person sets it from the beginning of a day. An equal value changes nothing.

    A person's value replaces the earlier value of that day. `version` is the `fee_version` that was read; None skips the check.
    Raises NotFound, Forbidden, Invalid for a day in a past month or too far ahead, Outdated if others have set that day since,
    and Conflict if the actor is not a person and the moment has another value.
    """
    rows = Organisation.objects.select_for_update(of=("self",), no_key=True)
    organisation = policy.get(actor, Action.CREATE_ORGANISATION, rows, organisation_id)
    if actor.kind == "user":
        return _set_day(actor, organisation, charged=charged, day=_day_of(valid_from), version=version)
    return _set_moment(actor, organisation, charged=charged, valid_from=valid_from)


def set_first_fees(actor: Actor, made: Sequence[tuple[NewOrganisation, Organisation]]) -> None:
    """Sets the fees of organisations that the caller's transaction creates, from the beginning of their first day."""
    for new, organisation in made:
        if new.making.charged is not None:
            _require_no_sub_organisation(actor, organisation)
            begin = clock.start_of_day(_day_of(organisation.created_at))
            _insert(actor, organisation, charged=new.making.charged, valid_from=begin)


def end_fee(actor: Actor, organisation: Organisation) -> None:
    """Ends the fee of an organisation that is closed or moves below another, in the caller's transaction.

    It ends today, and future fees are set to no.
    """
    today = clock.today()
    holds = SubscriptionFee.objects.filter(organisation=organisation, valid_from__lt=clock.start_of_day(today + _DAY))
    last = holds.order_by("-valid_from").first()
    coming = SubscriptionFee.objects.filter(organisation=organisation, charged=True).exclude(pk__in=holds.values("pk"))
    days = [_day_of(each) for each in coming.order_by("valid_from").values_list("valid_from", flat=True)]
    for day in [today, *days] if last is not None and last.charged else days:
        _set_day(actor, organisation, charged=False, day=day, version=None)


def fee_version(organisation_id: UUID) -> int:
    """Returns how often the fee was set. A form submits it, so the second of two editors of a day sees the conflict."""
    return Event.objects.filter(subject_type="organisation", subject_ref=str(organisation_id), action=_FEE_SET).count()


def _set_day(actor: Actor, organisation: Organisation, *, charged: bool, day: dt.date, version: int | None) -> SubscriptionFee:
    """Sets the only value of a day. Older rows may begin within the day; the last of them is the day's value."""
    _require_no_sub_organisation(actor, organisation)
    _require_open_month(day)
    begin, end = clock.start_of_day(day), clock.start_of_day(day + _DAY)
    of_day = SubscriptionFee.objects.filter(organisation=organisation, valid_from__gte=begin, valid_from__lt=end)
    fee = of_day.order_by("-valid_from").first()
    if fee is None:
        return _insert(actor, organisation, charged=charged, valid_from=begin)
    if fee.charged == charged:
        return fee
    if version is not None and (others := _changes_since(organisation, day, version)):
        raise Outdated(fee_version(organisation.pk), others, {_FIELD: fee.charged})
    of_day.exclude(pk=fee.pk).delete()
    before, fee.charged, fee.valid_from = fee.charged, charged, begin
    fee.save(update_fields=["charged", "valid_from"])
    _record(actor, fee, before=before)
    return fee


def _set_moment(actor: Actor, organisation: Organisation, *, charged: bool, valid_from: dt.datetime) -> SubscriptionFee:
    fee = SubscriptionFee.objects.filter(organisation=organisation, valid_from=valid_from).first()
    if fee is None:
        return _insert(actor, organisation, charged=charged, valid_from=valid_from)
    if fee.charged != charged:
        message = "Abonnemangsavgiften är redan bestämd för den dagen. Välj en annan dag."
        raise Conflict("fee-already-set", message, fields={"valid_from": [message]})
    return fee


def _insert(actor: Actor, organisation: Organisation, *, charged: bool, valid_from: dt.datetime) -> SubscriptionFee:
    earlier = SubscriptionFee.objects.filter(organisation=organisation, valid_from__lt=valid_from).order_by("-valid_from")
    before = earlier.values_list("charged", flat=True).first()
    fee = SubscriptionFee.objects.create(organisation=organisation, charged=charged, valid_from=valid_from)
    _record(actor, fee, before=before)
    return fee


def _record(actor: Actor, fee: SubscriptionFee, *, before: bool | None) -> None:
    """Records an event with the value that applied at that moment before, or None."""
    values = {_FIELD: fee.charged, "valid_from": fee.valid_from.isoformat()}
    record(actor, _FEE_SET, fee.organisation, **values, before={_FIELD: before}, after={_FIELD: fee.charged})


def _changes_since(organisation: Organisation, day: dt.date, version: int) -> list[Change]:
    """Returns how others have set this day after `version`, oldest first."""
    events = Event.objects.filter(subject_type="organisation", subject_ref=str(organisation.pk), action=_FEE_SET)
    return [
        Change(event.at, event.actor_ref, _FIELD, event.facts.get("before", {}).get(_FIELD), event.facts[_FIELD])
        for event in events.order_by("id")[version:]
        if _day_of(dt.datetime.fromisoformat(event.facts["valid_from"])) == day
    ]


def _require_open_month(day: dt.date) -> None:
    today = clock.today()
    first = today.replace(day=1)
    if day < first:
        message = f"Tidigare månader kan vara fakturerade. Välj {first} eller senare."
        raise Invalid("fee-in-the-past", message, fields={"valid_from": [message]})
    if day > today + dt.timedelta(days=LATEST_DAYS):
        message = "Dagen ligger för långt fram. Välj en dag inom 10 år."
        raise Invalid("fee-far-ahead", message, fields={"valid_from": [message]})


def _require_no_sub_organisation(actor: Actor, organisation: Organisation) -> None:
    if organisation.parent_id is not None and actor.kind == "user":
        message = "Underorganisationer räknas med den organisation som de ligger under."
        raise Conflict("fee-of-sub-organisation", message)


def _day_of(moment: dt.datetime) -> dt.date:
    return moment.astimezone(clock.STOCKHOLM).date()

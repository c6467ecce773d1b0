"""Abonnemangsavgift, a dated value: what an organisation is charged from a day on, and its corrections (ADR 0037).

Billing asks for the value just before a month's end (ADR 0037). So a day of a month that is not over may be set anew, and nothing
that was invoiced is touched.
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
"""What begins later than in so many days is refused as a slip of the keyboard."""

_DAY = dt.timedelta(days=1)
_FIELD = "charged"
_FEE_SET = "organisation.fee_set"


@transaction.atomic(durable=True)
def set_subscription_fee(
    *, actor: Actor, organisation_id: UUID, charged: bool, valid_from: dt.datetime, version: int | None = None
) -> SubscriptionFee:
    """Sets Abonnemangsavgift from a moment on, a person from the beginning of its day; the same value again changes nothing.

    What a person says of a day replaces what was said of it. `version` is `fee_version` as it was read; left out it is not
    compared. Raises NotFound, Forbidden, Invalid for a day in a month that is over or far ahead, Outdated if others set that day
    since, and Conflict if no person asks and the moment has another value.
    """
    rows = Organisation.objects.select_for_update(of=("self",), no_key=True)
    organisation = policy.get(actor, Action.CREATE_ORGANISATION, rows, organisation_id)
    if actor.kind == "user":
        return _set_day(actor, organisation, charged=charged, day=_day_of(valid_from), version=version)
    return _set_moment(actor, organisation, charged=charged, valid_from=valid_from)


def set_first_fees(actor: Actor, made: Sequence[tuple[NewOrganisation, Organisation]]) -> None:
    """Sets the fees of organisations that the caller's transaction makes, from the beginning of their first day."""
    for new, organisation in made:
        if new.making.charged is not None:
            _require_no_sub_organisation(actor, organisation)
            begin = clock.start_of_day(_day_of(organisation.created_at))
            _insert(actor, organisation, charged=new.making.charged, valid_from=begin)


def end_fee(actor: Actor, organisation: Organisation) -> None:
    """Ends the fee of an organisation that is ended, or comes below another, in the caller's transaction: from today on, and
    whatever was to come."""
    today = clock.today()
    holds = SubscriptionFee.objects.filter(organisation=organisation, valid_from__lt=clock.start_of_day(today + _DAY))
    last = holds.order_by("-valid_from").first()
    coming = SubscriptionFee.objects.filter(organisation=organisation, charged=True).exclude(pk__in=holds.values("pk"))
    days = [_day_of(each) for each in coming.order_by("valid_from").values_list("valid_from", flat=True)]
    for day in [today, *days] if last is not None and last.charged else days:
        _set_day(actor, organisation, charged=False, day=day, version=None)


def fee_version(organisation_id: UUID) -> int:
    """How often the fee was set: a form carries it, so that of two who set one day the second is told."""
    return Event.objects.filter(subject_type="organisation", subject_ref=str(organisation_id), action=_FEE_SET).count()


def _set_day(actor: Actor, organisation: Organisation, *, charged: bool, day: dt.date, version: int | None) -> SubscriptionFee:
    """The day's one value. Older rows may have begun within the day; the last of them is what the day came to."""
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
    """One event with the value that held at that moment before, None where none did."""
    told = {_FIELD: fee.charged, "valid_from": fee.valid_from.isoformat()}
    record(actor, _FEE_SET, fee.organisation, **told, before={_FIELD: before}, after={_FIELD: fee.charged})


def _changes_since(organisation: Organisation, day: dt.date, version: int) -> list[Change]:
    """How others set this day after `version`, oldest first."""
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
        message = "Dagen ligger för långt fram. Välj en dag inom tio år."
        raise Invalid("fee-far-ahead", message, fields={"valid_from": [message]})


def _require_no_sub_organisation(actor: Actor, organisation: Organisation) -> None:
    if organisation.parent_id is not None and actor.kind == "user":
        message = "Underorganisationer räknas med den organisation som de ligger under."
        raise Conflict("fee-of-sub-organisation", message)


def _day_of(moment: dt.datetime) -> dt.date:
    return moment.astimezone(clock.STOCKHOLM).date()

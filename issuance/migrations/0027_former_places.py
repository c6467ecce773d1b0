"""Where organisations stood and who issued in areas before, read from the events of moves and areas (ADR 0037)."""

import datetime as dt
from typing import Any
from uuid import UUID

import django.db.models.deletion
from django.db import migrations, models

from siths_portal.lib import clock


def fill(apps: Any, schema_editor: Any) -> None:
    """Former places and issuers as events tell of them, and the end of fees that sub-organisations brought along."""
    _places(apps)
    _issuers(apps)
    _end_fees_below(apps)


def _places(apps: Any) -> None:
    """Moves undone one by one, the newest first: what stood where each time."""
    place, organisation = apps.get_model("issuance", "FormerPlace"), apps.get_model("issuance", "Organisation")
    paths = dict(organisation.objects.values_list("pk", "scope_path"))
    made = dict(organisation.objects.values_list("pk", "created_at"))
    tops = {pk.hex[-12:]: pk for pk in paths}
    areas = {pk.hex[-12:]: pk for pk in apps.get_model("issuance", "IssuingArea").objects.values_list("pk", flat=True)}
    found = []
    for event in _events(apps, "organisation.moved"):
        before, after = (_path(event.facts[name]) for name in ("before", "after"))
        old, new = ([part[1:] for part in path.split("/")[1:3]] for path in (before, after))
        for pk, path in paths.items():
            if not path.startswith(after):
                continue
            paths[pk] = before + path[len(after) :]
            if old != new and made[pk] < event.at:
                found.append(place(organisation_id=pk, area_id=areas[old[0]], top_id=tops[old[1]], until=event.at))
    place.objects.bulk_create(reversed(found))


def _path(told: Any) -> str:
    """The scope path in an event: the oldest events tell nothing else."""
    path: str = told if isinstance(told, str) else told["scope_path"]
    return path


def _issuers(apps: Any) -> None:
    issuer = apps.get_model("issuance", "FormerIssuer")
    found = []
    for event in _events(apps, "area.changed"):
        former = event.facts.get("before", {}).get("issuing_organisation_id")
        if former is not None:
            found.append(issuer(area_id=UUID(event.subject_ref), organisation_id=UUID(former), until=event.at))
    issuer.objects.bulk_create(reversed(found))


def _events(apps: Any, action: str) -> Any:
    event = apps.get_model("issuance", "Event")
    return event.objects.filter(subject_type=action.split(".")[0], action=action).order_by("-id")


def _end_fees_below(apps: Any) -> None:
    """From today: what lies below another organisation is not asked for its fee, and shall not have it if it comes up again."""
    fee, today = apps.get_model("issuance", "SubscriptionFee"), clock.start_of_day(clock.today())
    of_sub = fee.objects.filter(organisation__parent__isnull=False)
    of_sub.filter(valid_from__gte=today, charged=True).update(charged=False)
    last = of_sub.filter(valid_from__lt=today + dt.timedelta(days=1)).order_by("organisation_id", "-valid_from")
    charged = [row.organisation_id for row in last.distinct("organisation_id") if row.charged]
    fee.objects.bulk_create(fee(organisation_id=pk, charged=False, valid_from=today) for pk in charged)


def nothing(apps: Any, schema_editor: Any) -> None:
    """Backwards the tables go with what is in them."""


def _reference(to: str, **options: Any) -> Any:
    return models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=f"issuance.{to}", **options)


def _key() -> tuple[str, Any]:
    return ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"))


class Migration(migrations.Migration):
    dependencies = [("issuance", "0026_customisation_requests")]

    operations = [
        migrations.CreateModel(
            name="FormerPlace",
            fields=[
                _key(),
                ("until", models.DateTimeField()),
                ("area", _reference("issuingarea")),
                ("organisation", _reference("organisation", db_index=False)),
                ("top", _reference("organisation")),
            ],
            options={"indexes": [models.Index(fields=["organisation", "until"], name="issuance_former_place")]},
        ),
        migrations.CreateModel(
            name="FormerIssuer",
            fields=[
                _key(),
                ("until", models.DateTimeField()),
                ("area", _reference("issuingarea", db_index=False)),
                ("organisation", _reference("organisation")),
            ],
            options={"indexes": [models.Index(fields=["area", "until"], name="issuance_former_issuer")]},
        ),
        migrations.RunPython(fill, nothing),
    ]

"""Register care: rows of work, the nightly comparison, and reminders to holders."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

import siths_portal.lib.ids
from siths_portal.lib.events import kept

_PROTECT = django.db.models.deletion.PROTECT
_STANDING = Q(("state", "gone"), _negated=True)
_WAITS = Q(("state", "waiting"))
_ID = models.UUIDField(default=siths_portal.lib.ids.new_id, primary_key=True, serialize=False)


def _maybe(to: str) -> "models.ForeignKey[models.Model, models.Model]":
    return models.ForeignKey(null=True, on_delete=_PROTECT, related_name="work_items", to=f"issuance.{to}")


class Migration(migrations.Migration):
    dependencies = [("issuance", "0059_unlock_transactions")]

    operations = [
        migrations.CreateModel(
            name="CareRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("night", models.DateField(unique=True)),
                ("begun_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("position", models.UUIDField(null=True)),
                ("persons", models.PositiveIntegerField(default=0)),
                ("read", models.PositiveIntegerField(default=0)),
                ("refusals", models.PositiveIntegerField(default=0)),
                ("register_ended", models.BooleanField(default=False)),
                ("register_whole", models.BooleanField(default=False)),
                ("kinds", models.JSONField(default=list)),
                ("found", models.PositiveIntegerField(default=0)),
                ("gone", models.PositiveIntegerField(default=0)),
                ("changed", models.PositiveIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="WorkItem",
            fields=[
                ("state", models.CharField(max_length=20)),
                ("seq", models.PositiveIntegerField(default=0)),
                ("id", _ID),
                ("kind", models.CharField(max_length=30)),
                ("subject_id", models.UUIDField()),
                ("due", models.DateField()),
                ("facts", models.JSONField(default=dict)),
                ("found_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("assignee_ref", models.CharField(default="", max_length=200)),
                ("postponed_until", models.DateField(null=True)),
                ("reason", models.CharField(default="", max_length=500)),
                ("decided_by_ref", models.CharField(default="", max_length=200)),
                ("decided_at", models.DateTimeField(null=True)),
                (
                    "organisation",
                    models.ForeignKey(on_delete=_PROTECT, related_name="work_items", to="issuance.organisation"),
                ),
                ("person", _maybe("person")),
                ("carrier", _maybe("carrier")),
                ("order", _maybe("cardorder")),
                ("office", _maybe("office")),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["organisation", "kind", "state", "due", "id"], condition=_STANDING, name="issuance_work_page"
                    ),
                    models.Index(fields=["kind", "state", "due", "id"], condition=_STANDING, name="issuance_work_all"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(("state__in", ["open", "postponed", "done", "gone"])), name="issuance_work_state"
                    ),
                    models.CheckConstraint(
                        condition=Q(("state", "postponed"), ("postponed_until", None), _connector="XOR"),
                        name="issuance_work_postponed",
                    ),
                    models.CheckConstraint(
                        condition=Q(("state", "gone"), ("ended_at", None), _connector="XOR"), name="issuance_work_ended"
                    ),
                    models.UniqueConstraint(
                        fields=("kind", "subject_id"), condition=_STANDING, name="issuance_work_once_per_cause"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CatalogueName",
            fields=[
                (
                    "person",
                    models.OneToOneField(
                        on_delete=_PROTECT,
                        primary_key=True,
                        related_name="catalogue_name",
                        serialize=False,
                        to="issuance.person",
                    ),
                ),
                ("given_name", models.CharField(max_length=100)),
                ("surname", models.CharField(max_length=100)),
            ],
        ),
        migrations.CreateModel(
            name="CardReminder",
            fields=[
                ("id", _ID),
                ("days", models.PositiveSmallIntegerField(null=True)),
                ("requested_by_ref", models.CharField(max_length=200)),
                ("requested_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Väntar på att skickas"),
                            ("sent", "Skickad"),
                            ("refused", "Avvisad av e-postservern"),
                            ("not-needed", "Behövdes inte längre"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("next_at", models.DateTimeField(null=True)),
                ("settled_at", models.DateTimeField(null=True)),
                ("carrier", models.ForeignKey(on_delete=_PROTECT, related_name="reminders", to="issuance.carrier")),
            ],
            options={
                "indexes": [
                    models.Index(fields=["next_at"], condition=Q(("next_at__isnull", False)), name="issuance_reminder_due"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("carrier", "days"), condition=Q(("days__isnull", False)), name="issuance_reminder_once_a_day"
                    ),
                    models.UniqueConstraint(fields=("carrier",), condition=_WAITS, name="issuance_reminder_one_waits"),
                    models.CheckConstraint(
                        condition=Q(
                            Q(("next_at__isnull", False), ("settled_at", None), ("state", "waiting")),
                            Q(Q(("state", "waiting"), _negated=True), ("next_at", None), ("settled_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="issuance_reminder_settled",
                    ),
                ],
            },
        ),
        *kept("issuance_workitem"),
        *kept("issuance_carerun"),
        *kept("issuance_cardreminder"),
    ]

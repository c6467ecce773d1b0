"""Training and person checks of role holders; roles have versions."""

import django.db.models.deletion
import siths_portal.lib.ids
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("issuance", "0011_swedish_order"),
    ]

    operations = [
        migrations.AddField(
            model_name="rolegrant",
            name="version",
            field=models.PositiveIntegerField(default=1),
        ),
        migrations.CreateModel(
            name="Qualification",
            fields=[
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=20)),
                ("passed_on", models.DateField()),
                ("due_on", models.DateField(null=True)),
                ("recorded_at", models.DateTimeField()),
                ("recorded_by_ref", models.CharField(max_length=200)),
                ("withdrawn_at", models.DateTimeField(null=True)),
                ("withdrawn_by_ref", models.CharField(default="", max_length=200)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="qualifications", to="issuance.person"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["person_check", "training"])), name="issuance_qualification_kind"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("due_on", None), ("due_on__gte", models.F("passed_on")), _connector="OR"),
                        name="issuance_qualification_due_after",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("withdrawn_at", None)),
                        fields=("person", "kind", "passed_on"),
                        name="issuance_qualification_once",
                    ),
                ],
            },
        ),
    ]

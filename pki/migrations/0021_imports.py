"""Imports of CAs and what they found. Neither goes away."""

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from siths_portal.lib.database.operations import RunStatements

import siths_portal.lib.ids

TABLES = ("pki_caimport", "pki_importfinding")


def keep(_apps: Any, schema_editor: Any) -> None:
    """Takes the right to remove rows from the application's role."""
    role = schema_editor.quote_name(settings.DATABASE_APP_ROLE)
    for table in TABLES:
        schema_editor.execute(f"REVOKE DELETE, TRUNCATE ON {table} FROM {role}")


def give_back(_apps: Any, schema_editor: Any) -> None:
    """Undoes `keep`."""
    role = schema_editor.quote_name(settings.DATABASE_APP_ROLE)
    for table in TABLES:
        schema_editor.execute(f"GRANT DELETE ON {table} TO {role}")


class Migration(migrations.Migration):
    """Needs the application's role to exist."""

    dependencies = [
        ("pki", "0020_mass_selection_indexes"),
    ]

    operations = [
        migrations.AlterField(
            model_name="approvalrequest",
            name="action",
            field=models.CharField(
                choices=[
                    ("ceremony", "Ceremony"),
                    ("ca-state", "Ca State"),
                    ("mass-revocation", "Mass Revocation"),
                    ("import", "Import"),
                ],
                max_length=20,
            ),
        ),
        migrations.CreateModel(
            name="CaImport",
            fields=[
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("inputs", models.JSONField()),
                ("inputs_sha256", models.CharField(max_length=64)),
                (
                    "state",
                    models.CharField(
                        choices=[("certificates", "Certificates"), ("lists", "Lists"), ("finished", "Finished")],
                        default="certificates",
                        max_length=12,
                    ),
                ),
                ("position", models.PositiveBigIntegerField(default=0)),
                ("counts", models.JSONField(default=dict)),
                ("actor_ref", models.CharField(max_length=200)),
                ("started_at", models.DateTimeField()),
                ("last_batch_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("report", models.JSONField(null=True)),
                (
                    "approval_request",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="ca_import", to="pki.approvalrequest"
                    ),
                ),
                (
                    "ca",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="imports",
                        to="pki.certificateauthority",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ImportFinding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("place", models.CharField(max_length=200)),
                ("kind", models.CharField(max_length=40)),
                ("serial", models.CharField(blank=True, default="", max_length=40)),
                ("detail", models.CharField(blank=True, default="", max_length=200)),
                (
                    "ca_import",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="findings", to="pki.caimport"
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="caimport",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["certificates", "lists", "finished"])), name="pki_import_state"
            ),
        ),
        migrations.AddConstraint(
            model_name="caimport",
            constraint=models.UniqueConstraint(fields=("ca", "inputs_sha256"), name="pki_import_inputs"),
        ),
        migrations.AddIndex(
            model_name="importfinding",
            index=models.Index(fields=["ca_import", "kind", "id"], name="pki_import_finding"),
        ),
        RunStatements(keep, give_back),
    ]

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import siths_portal.lib.ids
from siths_portal.lib.database.operations import RunStatements
from siths_portal.lib.events import append_only

# What the approvers sign is what was proposed; only its being withdrawn is told later, once.
GUARDS = """
CREATE TRIGGER pki_ceremonyproposal_fixed BEFORE UPDATE ON pki_ceremonyproposal
  FOR EACH ROW WHEN (
    NEW.id <> OLD.id OR NEW.title <> OLD.title OR NEW.environment <> OLD.environment OR NEW.file_text <> OLD.file_text
    OR NEW.file_sha256 <> OLD.file_sha256 OR NEW.proposed_by_ref <> OLD.proposed_by_ref OR NEW.proposed_at <> OLD.proposed_at
    OR OLD.withdrawn_at IS NOT NULL
  ) EXECUTE FUNCTION pki_refuse_ceremony_change('what was proposed is fixed');
"""
UNDO = "DROP TRIGGER pki_ceremonyproposal_fixed ON pki_ceremonyproposal;"


def keep_proposals(_apps: Any, schema_editor: Any) -> None:
    """Takes the right to remove proposals from the application's role."""
    role = schema_editor.quote_name(settings.DATABASE_APP_ROLE)
    schema_editor.execute(f"REVOKE DELETE, TRUNCATE ON pki_ceremonyproposal FROM {role}")


def give_back(_apps: Any, schema_editor: Any) -> None:
    """Undoes `keep_proposals`."""
    role = schema_editor.quote_name(settings.DATABASE_APP_ROLE)
    schema_editor.execute(f"GRANT DELETE ON pki_ceremonyproposal TO {role}")


class Migration(migrations.Migration):
    dependencies = [
        ("pki", "0015_sealed_secrets_by_key"),
    ]

    operations = [
        migrations.CreateModel(
            name="HealthReport",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                ("seen_at", models.DateTimeField()),
                ("findings", models.JSONField(default=list)),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="pki_healthreport_one")],
            },
        ),
        migrations.CreateModel(
            name="AuditCheck",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("chain", models.CharField(max_length=40)),
                ("at", models.DateTimeField()),
                ("actor_ref", models.CharField(max_length=200)),
                ("ok", models.BooleanField()),
                ("whole", models.BooleanField()),
                ("checked", models.BigIntegerField()),
                ("macs", models.BigIntegerField(null=True)),
                ("text", models.CharField(max_length=500)),
            ],
            options={
                "indexes": [models.Index(fields=["chain", "-id"], name="pki_auditcheck_newest")],
            },
        ),
        *append_only("pki_auditcheck"),
        migrations.CreateModel(
            name="CeremonyProposal",
            fields=[
                (
                    "id",
                    models.UUIDField(default=siths_portal.lib.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("title", models.CharField(max_length=200)),
                ("environment", models.CharField(max_length=40)),
                ("file_text", models.TextField()),
                ("file_sha256", models.CharField(max_length=64)),
                ("required", models.PositiveSmallIntegerField()),
                ("proposed_by_ref", models.CharField(max_length=200)),
                ("proposed_at", models.DateTimeField()),
                ("withdrawn_by_ref", models.CharField(blank=True, default="", max_length=200)),
                ("withdrawn_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("withdrawn_at", None)), fields=("file_sha256",), name="pki_ceremonyproposal_once"
                    )
                ],
            },
        ),
        migrations.RunSQL(GUARDS, UNDO),
        RunStatements(keep_proposals, give_back),
        migrations.CreateModel(
            name="CeremonySignature",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("approver_ref", models.CharField(max_length=200)),
                ("signature", models.BinaryField()),
                ("certificate_der", models.BinaryField()),
                ("signed_at", models.DateTimeField()),
                ("registered_by_ref", models.CharField(max_length=200)),
                ("registered_at", models.DateTimeField()),
                (
                    "proposal",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="signatures", to="pki.ceremonyproposal"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("proposal", "approver_ref"), name="pki_ceremonysignature_once")
                ],
            },
        ),
        *append_only("pki_ceremonysignature"),
    ]

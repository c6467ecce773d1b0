"""Who asked for a revocation and on what record, mass revocation, and what the database refuses of both."""

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

import siths_portal.lib.ids
from siths_portal.lib.database.operations import RunStatements
from siths_portal.lib.events import append_only

REASONS = [
    ("unspecified", "Unspecified"),
    ("keyCompromise", "Key Compromise"),
    ("cACompromise", "Ca Compromise"),
    ("affiliationChanged", "Affiliation Changed"),
    ("superseded", "Superseded"),
    ("cessationOfOperation", "Cessation Of Operation"),
    ("privilegeWithdrawn", "Privilege Withdrawn"),
]
CHANNELS = [("portal", "Portal"), ("api", "Api"), ("phone", "Phone"), ("paper", "Paper"), ("system", "System")]
STATES = [
    ("requested", "Requested"),
    ("running", "Running"),
    ("stopped", "Stopped"),
    ("publishing", "Publishing"),
    ("finished", "Finished"),
]

# Beside 0004, by which `revoked` and its time are final. F5.1: a reason may become a compromise, an invalidity date move back.
CERTIFICATE = """
CREATE TRIGGER pki_certificate_status_order BEFORE UPDATE OF status ON pki_certificate
  FOR EACH ROW WHEN (
    NEW.status <> OLD.status AND OLD.status <> 'reserved' AND NOT (OLD.status = 'issued' AND NEW.status = 'revoked')
  ) EXECUTE FUNCTION pki_refuse_certificate_change('no such change of status');
CREATE TRIGGER pki_certificate_revocation_only_worsens BEFORE UPDATE OF reason, invalidity_date ON pki_certificate
  FOR EACH ROW WHEN (
    OLD.status = 'revoked' AND (
      (NEW.reason <> OLD.reason
        AND (NEW.reason NOT IN ('keyCompromise', 'cACompromise') OR OLD.reason IN ('keyCompromise', 'cACompromise')))
      OR (NEW.invalidity_date IS DISTINCT FROM OLD.invalidity_date
        AND (NEW.invalidity_date IS NULL OR NEW.invalidity_date > COALESCE(OLD.invalidity_date, OLD.revoked_at)))
    )
  ) EXECUTE FUNCTION pki_refuse_certificate_change('a revocation changes to a compromise or an earlier invalidity date alone');
"""
UNDO_CERTIFICATE = """
DROP TRIGGER pki_certificate_status_order ON pki_certificate;
DROP TRIGGER pki_certificate_revocation_only_worsens ON pki_certificate;
"""

# What is approved is what was asked for.
REQUEST = """
CREATE FUNCTION pki_refuse_mass_revocation_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'mass revocation %: %', OLD.id, TG_ARGV[0] USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER pki_massrevocation_fixed
  BEFORE UPDATE OF id, approval_request_id, selection, as_of, groups, total, revocable, members_sha256, reason, justification,
    received_at, invalidity_date, channel, requester, source_record, publish_crls, requested_by_ref, created_at
  ON pki_massrevocation
  FOR EACH ROW WHEN (
    (NEW.id, NEW.approval_request_id, NEW.selection, NEW.as_of, NEW.groups, NEW.total, NEW.revocable, NEW.members_sha256,
      NEW.reason, NEW.justification, NEW.received_at, NEW.invalidity_date, NEW.channel, NEW.requester, NEW.source_record,
      NEW.publish_crls, NEW.requested_by_ref, NEW.created_at)
    IS DISTINCT FROM
    (OLD.id, OLD.approval_request_id, OLD.selection, OLD.as_of, OLD.groups, OLD.total, OLD.revocable, OLD.members_sha256,
      OLD.reason, OLD.justification, OLD.received_at, OLD.invalidity_date, OLD.channel, OLD.requester, OLD.source_record,
      OLD.publish_crls, OLD.requested_by_ref, OLD.created_at)
  ) EXECUTE FUNCTION pki_refuse_mass_revocation_change('what was asked for is fixed');
CREATE TRIGGER pki_massrevocation_finished_is_final BEFORE UPDATE ON pki_massrevocation
  FOR EACH ROW WHEN (OLD.state = 'finished') EXECUTE FUNCTION pki_refuse_mass_revocation_change('finished is final');
"""
UNDO_REQUEST = """
DROP TRIGGER pki_massrevocation_fixed ON pki_massrevocation;
DROP TRIGGER pki_massrevocation_finished_is_final ON pki_massrevocation;
DROP FUNCTION pki_refuse_mass_revocation_change();
"""


def keep_requests(_apps: Any, schema_editor: Any) -> None:
    """Takes the right to remove mass revocations from the application's role."""
    role = schema_editor.quote_name(settings.DATABASE_APP_ROLE)
    schema_editor.execute(f"REVOKE DELETE, TRUNCATE ON pki_massrevocation FROM {role}")


def give_back(_apps: Any, schema_editor: Any) -> None:
    """Undoes `keep_requests`."""
    role = schema_editor.quote_name(settings.DATABASE_APP_ROLE)
    schema_editor.execute(f"GRANT DELETE ON pki_massrevocation TO {role}")


class Migration(migrations.Migration):
    """Records of before keep their channel's old name: they are append-only, and the new rules hold for new rows."""

    dependencies = [("pki", "0008_clients")]

    operations = [
        migrations.AlterField("certificate", "reason", models.CharField(blank=True, choices=REASONS, default="", max_length=24)),
        migrations.RemoveConstraint("certificate", "pki_certificate_revoked_when"),
        migrations.AddConstraint(
            "certificate",
            models.CheckConstraint(
                condition=models.Q(
                    models.Q(("reason__in", [name for name, _ in REASONS]), ("revoked_at__isnull", False), ("status", "revoked")),
                    models.Q(models.Q(("status", "revoked"), _negated=True), ("revoked_at__isnull", True)),
                    _connector="OR",
                ),
                name="pki_certificate_revoked_when",
            ),
        ),
        migrations.AddIndex(
            "certificate",
            models.Index(
                condition=models.Q(
                    ("status", "revoked"), models.Q(("presigned_version", models.F("status_version")), _negated=True)
                ),
                fields=["ca", "id"],
                name="pki_cert_presign_revoked",
            ),
        ),
        migrations.AlterField("revocation", "reason", models.CharField(choices=REASONS, max_length=24)),
        migrations.AlterField("revocation", "channel", models.CharField(choices=CHANNELS, max_length=20)),
        migrations.AddField("revocation", "actor_ref", models.CharField(blank=True, default="", max_length=200)),
        migrations.AddField("revocation", "source_record", models.JSONField(null=True)),
        migrations.AddField(
            "revocation",
            "approval_request",
            models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="revocations",
                to="pki.approvalrequest",
            ),
        ),
        migrations.AddIndex("revocation", models.Index(fields=["decided_at"], name="pki_revocation_decided")),
        migrations.AddIndex(
            "revocation",
            models.Index(
                condition=models.Q(("approval_request__isnull", False)),
                fields=["approval_request", "certificate"],
                name="pki_revocation_approval",
            ),
        ),
        AddConstraintNotValid(
            "revocation",
            models.CheckConstraint(
                condition=models.Q(("channel__in", [name for name, _ in CHANNELS])), name="pki_revocation_channel"
            ),
        ),
        AddConstraintNotValid(
            "revocation",
            models.CheckConstraint(condition=models.Q(("received_at__lte", models.F("decided_at"))), name="pki_revocation_times"),
        ),
        migrations.CreateModel(
            name="MassRevocation",
            fields=[
                (
                    "id",
                    models.UUIDField(default=siths_portal.lib.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("selection", models.JSONField()),
                ("as_of", models.DateTimeField()),
                ("groups", models.JSONField()),
                ("total", models.PositiveIntegerField()),
                ("revocable", models.PositiveIntegerField()),
                ("members_sha256", models.CharField(max_length=64)),
                ("reason", models.CharField(choices=REASONS, max_length=24)),
                ("justification", models.CharField(max_length=1000)),
                ("received_at", models.DateTimeField()),
                ("invalidity_date", models.DateTimeField(null=True)),
                ("channel", models.CharField(choices=CHANNELS, max_length=20)),
                ("requester", models.CharField(max_length=200)),
                ("source_record", models.JSONField(null=True)),
                ("publish_crls", models.BooleanField()),
                ("requested_by_ref", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField()),
                ("state", models.CharField(choices=STATES, default="requested", max_length=12)),
                ("position", models.UUIDField(null=True)),
                ("revoked", models.PositiveIntegerField(default=0)),
                ("changed", models.PositiveIntegerField(default=0)),
                ("unchanged", models.PositiveIntegerField(default=0)),
                ("failed", models.PositiveIntegerField(default=0)),
                ("claimed_until", models.DateTimeField(null=True)),
                ("started_at", models.DateTimeField(null=True)),
                ("started_by_ref", models.CharField(blank=True, default="", max_length=200)),
                ("resumed_at", models.DateTimeField(null=True)),
                ("resumed_from", models.PositiveIntegerField(default=0)),
                ("last_batch_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("failure", models.CharField(blank=True, default="", max_length=200)),
                ("report", models.JSONField(null=True)),
                (
                    "approval_request",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="mass_revocation", to="pki.approvalrequest"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", [name for name, _ in STATES])), name="pki_mass_revocation_state"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("channel__in", [name for name, _ in CHANNELS])), name="pki_mass_revocation_channel"
                    ),
                ],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["running", "publishing"])),
                        fields=["id"],
                        name="pki_mass_revocation_due",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="MassRevocationMember",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "mass_revocation_id",
                        "certificate_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "mass_revocation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="members",
                        to="pki.massrevocation",
                    ),
                ),
                (
                    "certificate",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="pki.certificate",
                    ),
                ),
            ],
        ),
        migrations.RunSQL(CERTIFICATE, UNDO_CERTIFICATE),
        migrations.RunSQL(REQUEST, UNDO_REQUEST),
        RunStatements(keep_requests, give_back),
        *append_only("pki_massrevocationmember"),
    ]

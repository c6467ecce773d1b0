"""Revocations above an officer's limit, which a second officer decides (ADR 0297)."""

import django.db.models.deletion
import siths_portal.lib.ids
from django.db import migrations, models

GUARDS = """
CREATE FUNCTION issuance_held_revocation_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state <> 'open' THEN
    RAISE EXCEPTION 'the request % is closed', OLD.id USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF (NEW.carrier_id, NEW.eid_id, NEW.reason, NEW.received_at, NEW.requested_by_ref, NEW.requested_at)
    IS DISTINCT FROM (OLD.carrier_id, OLD.eid_id, OLD.reason, OLD.received_at, OLD.requested_by_ref, OLD.requested_at) THEN
    RAISE EXCEPTION 'what was requested does not change' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER issuance_held_revocation_guard BEFORE UPDATE ON issuance_heldrevocation
  FOR EACH ROW EXECUTE FUNCTION issuance_held_revocation_guard();
"""
GUARDS_REVERSE = """
DROP TRIGGER issuance_held_revocation_guard ON issuance_heldrevocation;
DROP FUNCTION issuance_held_revocation_guard();
"""


class Migration(migrations.Migration):
    """Creates the table, the index that counts an officer's revocations, and what the database itself refuses."""

    dependencies = [
        ("issuance", "0036_role_requests"),
    ]

    operations = [
        migrations.CreateModel(
            name="HeldRevocation",
            fields=[
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, primary_key=True, serialize=False)),
                ("reason", models.CharField(max_length=40)),
                ("justification", models.CharField(default="", max_length=1000)),
                ("received_at", models.DateTimeField()),
                ("requester", models.CharField(default="", max_length=40)),
                ("requester_name", models.CharField(default="", max_length=200)),
                ("channel", models.CharField(default="", max_length=40)),
                ("requested_by_ref", models.CharField(max_length=200)),
                ("requested_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Open"), ("approved", "Approved"), ("rejected", "Rejected")],
                        default="open",
                        max_length=10,
                    ),
                ),
                ("decided_by_ref", models.CharField(default="", max_length=200)),
                ("decided_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                condition=models.Q(("action__in", ("carrier.revoked", "eid.revoked"))),
                fields=["actor_ref", "at"],
                name="issuance_event_revoking",
            ),
        ),
        migrations.AddField(
            model_name="heldrevocation",
            name="carrier",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="held_revocations", to="issuance.carrier"
            ),
        ),
        migrations.AddField(
            model_name="heldrevocation",
            name="eid",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="held_revocations", to="issuance.eid"
            ),
        ),
        migrations.AddIndex(
            model_name="heldrevocation",
            index=models.Index(
                condition=models.Q(("state", "open")), fields=["requested_at", "id"], name="issuance_held_revocation_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="heldrevocation",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["open", "approved", "rejected"])), name="issuance_held_revocation_state"
            ),
        ),
        migrations.AddConstraint(
            model_name="heldrevocation",
            constraint=models.CheckConstraint(
                condition=models.Q(("decided_by_ref", models.F("requested_by_ref")), _negated=True),
                name="issuance_held_revocation_second",
            ),
        ),
        migrations.AddConstraint(
            model_name="heldrevocation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state", "open"),
                    models.Q(models.Q(("decided_by_ref", ""), _negated=True), ("decided_at__isnull", False)),
                    _connector="OR",
                ),
                name="issuance_held_revocation_decided",
            ),
        ),
        migrations.AddConstraint(
            model_name="heldrevocation",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "open")),
                fields=("carrier", "eid"),
                name="issuance_held_revocation_once",
                nulls_distinct=False,
            ),
        ),
        migrations.RunSQL(GUARDS, GUARDS_REVERSE),
    ]

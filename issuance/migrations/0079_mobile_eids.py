"""Mobile eIDs: how holders get them, and what their devices ask for."""

import django.db.models.deletion
from django.db import migrations, models

import siths_portal.lib.ids
from siths_portal.lib.events import kept

_OPEN = ["accepted", "offered", "started", "code_set"]
_STATES = [*_OPEN, "completed", "cancelled", "expired", "failed", "superseded", "refused"]


class Migration(migrations.Migration):
    """A mobile eID is confirmed by the holder's signature with its own key, and has no receipt of a visit."""

    dependencies = [("issuance", "0078_eid_notices")]

    operations = [
        migrations.RemoveConstraint("carrier", "issuance_active_has_receipt"),
        migrations.AddConstraint(
            "carrier",
            models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "active"), _negated=True),
                    ("receipt__isnull", False),
                    ("origin", "migrated"),
                    ("kind__in", ["mobile_eid", "test_card"]),
                    _connector="OR",
                ),
                name="issuance_active_has_receipt",
            ),
        ),
        migrations.CreateModel(
            name="MobileEnrolment",
            fields=[
                ("state", models.CharField(max_length=20)),
                ("seq", models.PositiveIntegerField(default=0)),
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, primary_key=True, serialize=False)),
                ("session_id", models.UUIDField()),
                ("logged_in_at", models.DateTimeField()),
                ("second_log_in_at", models.DateTimeField(null=True)),
                ("handle_sha256", models.CharField(default="", max_length=64)),
                ("device", models.CharField(default="", max_length=60)),
                ("device_key_spki", models.BinaryField(default=bytes)),
                ("device_key_sha256", models.CharField(default="", max_length=64)),
                ("attestation", models.TextField(default="")),
                ("step_token_sha256", models.CharField(default="", max_length=64)),
                ("refusal", models.CharField(default="", max_length=20)),
                ("wrong_proofs", models.PositiveSmallIntegerField(default=0)),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(null=True)),
                ("code_set_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "carrier",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="mobile_enrolment",
                        to="issuance.carrier",
                    ),
                ),
                (
                    "logged_in_with",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="issuance.carrier"),
                ),
                (
                    "organisation",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="issuance.organisation"),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="mobile_enrolments", to="issuance.person"
                    ),
                ),
                (
                    "terms",
                    models.ForeignKey(
                        db_column="terms_sha256",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="issuance.document",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", _OPEN)), fields=["expires_at", "id"], name="issuance_enrolment_open"
                    ),
                    models.Index(
                        condition=models.Q(("device_key_sha256", ""), _negated=True),
                        fields=["device_key_sha256"],
                        name="issuance_enrolment_device_key",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("state__in", _STATES)), name="issuance_enrolment_state"),
                    models.CheckConstraint(
                        condition=models.Q(("refusal__in", ["", "shared-device", "device-of-another", "device-has-eid"])),
                        name="issuance_enrolment_refusal",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["started", "code_set", "completed"]), _negated=True),
                            models.Q(
                                ("carrier__isnull", False),
                                ("second_log_in_at__isnull", False),
                                models.Q(("device_key_sha256", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="issuance_enrolment_device",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("terms__isnull", False), ("state", "refused"), _connector="OR"),
                        name="issuance_enrolment_terms",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", _OPEN)), fields=("person",), name="issuance_one_open_enrolment"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("handle_sha256", ""), _negated=True),
                        fields=("handle_sha256",),
                        name="issuance_enrolment_handle_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("step_token_sha256", ""), _negated=True),
                        fields=("step_token_sha256",),
                        name="issuance_enrolment_token_once",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MobileRequest",
            fields=[
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, primary_key=True, serialize=False)),
                ("csrs", models.JSONField()),
                ("keys", models.JSONField()),
                ("certificate_ids", models.JSONField()),
                ("attestation", models.TextField()),
                ("signature", models.BinaryField()),
                ("confirmation", models.BinaryField(default=bytes)),
                ("confirmed_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
                (
                    "enrolment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="request", to="issuance.mobileenrolment"
                    ),
                ),
            ],
        ),
        *kept("issuance_mobileenrolment"),
        *kept("issuance_mobilerequest"),
    ]

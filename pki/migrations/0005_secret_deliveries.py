"""Deliveries of secrets to one recipient each."""

import django.db.models.deletion
import siths_portal.lib.ids
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("pki", "0004_guards"),
    ]

    operations = [
        migrations.CreateModel(
            name="SecretDelivery",
            fields=[
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("owner_ref", models.CharField(db_index=True, max_length=80)),
                ("actor_ref", models.CharField(max_length=200)),
                ("purpose", models.CharField(max_length=40)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("requested", "Requested"),
                            ("ready", "Ready"),
                            ("refused", "Refused"),
                            ("destroyed", "Destroyed"),
                        ],
                        default="requested",
                        max_length=10,
                    ),
                ),
                ("recipient_jwk", models.JSONField()),
                ("header", models.JSONField()),
                ("jwe", models.TextField(null=True)),
                ("token_sha256", models.CharField(default="", max_length=64)),
                ("failure", models.CharField(default="", max_length=80)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("claimed_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
                ("ready_at", models.DateTimeField(null=True)),
                (
                    "secret",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="deliveries", to="pki.secret"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "requested")), fields=["created_at"], name="pki_delivery_requested"
                    ),
                    models.Index(
                        condition=models.Q(("secret__isnull", False)), fields=["secret", "created_at"], name="pki_delivery_secret"
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["requested", "ready", "refused", "destroyed"])),
                        name="pki_delivery_state",
                    )
                ],
            },
        ),
    ]

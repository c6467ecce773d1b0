"""eID orders: eIDs that holders fetch onto a carrier in use. Their rows are kept (ADR 0298)."""

import django.db.models.deletion
import siths_portal.lib.ids
from django.db import migrations, models

from siths_portal.lib.events import kept


class Migration(migrations.Migration):
    dependencies = [
        ("issuance", "0045_kept_order_items"),
    ]

    operations = [
        migrations.CreateModel(
            name="EidOrder",
            fields=[
                ("state", models.CharField(max_length=20)),
                ("seq", models.PositiveIntegerField(default=0)),
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=20)),
                ("assurance_level", models.PositiveSmallIntegerField()),
                ("hsa_id", models.CharField(max_length=31)),
                ("mail", models.CharField(default="", max_length=254)),
                ("upn", models.CharField(default="", max_length=254)),
                ("title", models.CharField(default="", max_length=128)),
                ("ordered_by_ref", models.CharField(max_length=200)),
                ("ordered_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "article",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="issuance.article"),
                ),
                (
                    "carrier",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="eid_orders", to="issuance.carrier"
                    ),
                ),
                (
                    "eid",
                    models.OneToOneField(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="eid_order", to="issuance.eid"
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="eid_orders", to="issuance.organisation"
                    ),
                ),
                (
                    "post",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="eid_orders", to="issuance.post"),
                ),
                (
                    "replaces",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="renewals", to="issuance.eid"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "ordered")), fields=["expires_at", "id"], name="issuance_eid_order_waiting"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["ordered", "fetched", "cancelled", "expired"])),
                        name="issuance_eid_order_state",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["additional", "renewal"])), name="issuance_eid_order_kind"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind", "renewal"), ("replaces__isnull", True), _connector="XOR"),
                        name="issuance_eid_order_replaces",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state", "fetched"), ("eid__isnull", True), _connector="XOR"),
                        name="issuance_eid_order_fetched",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state", "ordered"), ("ended_at__isnull", False), _connector="XOR"),
                        name="issuance_eid_order_ended",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("expires_at__gt", models.F("ordered_at"))), name="issuance_eid_order_span"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "ordered")),
                        fields=("carrier", "post"),
                        name="issuance_one_waiting_eid_order",
                    ),
                ],
            },
        ),
        *kept("issuance_eidorder"),
    ]

"""The outbox of suppliers that are pushed to, its calls, and the connections with suppliers."""

import django.db.models.deletion
from django.db import migrations, models

import siths_portal.lib.ids
from siths_portal.lib.events import append_only

_STATES = [
    ("waiting", "Väntar på att skickas"),
    ("delivered", "Mottagen"),
    ("dead", "Stoppad"),
    ("needless", "Behövs inte"),
]


class Migration(migrations.Migration):
    dependencies = [("issuance", "0053_remakes")]

    operations = [
        migrations.CreateModel(
            name="SupplierConnection",
            fields=[
                ("supplier_ref", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("heard_at", models.DateTimeField(null=True)),
                ("answered_at", models.DateTimeField(null=True)),
                ("paused_at", models.DateTimeField(null=True)),
                ("paused_by_ref", models.CharField(blank=True, default="", max_length=200)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("open_until", models.DateTimeField(null=True)),
                ("reconciled_at", models.DateTimeField(null=True)),
                ("differences", models.JSONField(default=list)),
            ],
        ),
        migrations.CreateModel(
            name="PushDelivery",
            fields=[
                (
                    "id",
                    models.UUIDField(default=siths_portal.lib.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("supplier_ref", models.CharField(max_length=100)),
                ("state", models.CharField(choices=_STATES, default="waiting", max_length=10)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("next_at", models.DateTimeField(null=True)),
                ("queued_at", models.DateTimeField()),
                ("settled_at", models.DateTimeField(null=True)),
                ("reason", models.CharField(blank=True, default="", max_length=63)),
                (
                    "change",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="push_delivery",
                        to="issuance.supplierchange",
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="push_deliveries",
                        to="issuance.cardorder",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("next_at__isnull", False)),
                        fields=["supplier_ref", "next_at", "id"],
                        name="issuance_push_due",
                    ),
                    models.Index(fields=["order", "id"], name="issuance_push_order"),
                    models.Index(
                        condition=models.Q(("state", "dead")), fields=["supplier_ref", "id"], name="issuance_push_dead"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "waiting")), fields=("order",), name="issuance_push_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("order", None), ("change", None), _connector="XOR"),
                        name="issuance_push_subject",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("next_at__isnull", False), ("settled_at", None), ("state", "waiting")),
                            models.Q(
                                ("next_at", None),
                                ("settled_at__isnull", False),
                                ("state__in", ["delivered", "dead", "needless"]),
                            ),
                            _connector="OR",
                        ),
                        name="issuance_push_settled",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PushAttempt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("outcome", models.CharField(max_length=15)),
                ("code", models.CharField(blank=True, default="", max_length=63)),
                (
                    "delivery",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="calls", to="issuance.pushdelivery"
                    ),
                ),
            ],
            options={"indexes": [models.Index(fields=["delivery", "id"], name="issuance_push_attempts")]},
        ),
        migrations.CreateModel(
            name="PushAnswer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("supplier_ref", models.CharField(max_length=100)),
                ("answer_id", models.CharField(max_length=64)),
                ("at", models.DateTimeField()),
                (
                    "delivery",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="answers",
                        to="issuance.pushdelivery",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["supplier_ref", "answer_id"], name="issuance_push_answer_once")
                ]
            },
        ),
        *append_only("issuance_pushattempt"),
        *append_only("issuance_pushanswer"),
    ]

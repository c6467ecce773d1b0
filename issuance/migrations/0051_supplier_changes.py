"""Changes that suppliers read from a feed: an insert-only table."""

import django.db.models.deletion
from django.db import migrations, models

from siths_portal.lib.events import CurrentTransactionId, append_only


class Migration(migrations.Migration):
    dependencies = [("issuance", "0050_customer_finance")]

    operations = [
        migrations.CreateModel(
            name="SupplierChange",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("xid", models.BigIntegerField(db_default=CurrentTransactionId(), editable=False)),
                ("supplier_ref", models.CharField(max_length=100)),
                ("kind", models.CharField(max_length=25)),
                ("item", models.PositiveSmallIntegerField(null=True)),
                ("reason", models.CharField(max_length=40)),
                ("occurred_at", models.DateTimeField()),
                (
                    "customisation",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="changes",
                        to="issuance.cardcustomisation",
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="changes", to="issuance.cardorder"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["supplier_ref", "xid", "id"], name="issuance_change_feed")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["cancelled", "revoked", "puk_refused", "customisation_changed"])),
                        name="issuance_change_kind",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("supplier_ref", ""), _negated=True), name="issuance_change_supplier"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("order", None), ("customisation", None), _connector="XOR"),
                        name="issuance_change_subject",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("item", None), ("order__isnull", False), _connector="OR"),
                        name="issuance_change_item",
                    ),
                ],
            },
        ),
        *append_only("issuance_supplierchange"),
    ]

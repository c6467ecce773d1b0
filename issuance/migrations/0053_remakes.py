"""Pieces that are made again: the item that one replaces, whose fault it is, and when an item was dispatched with its order."""

import django.db.models.deletion
from django.db import migrations, models

DISPATCHED = """
UPDATE issuance_orderitem AS item SET dispatched_at = placed.sent_at
FROM issuance_cardorder AS placed WHERE placed.id = item.order_id AND placed.sent_at IS NOT NULL;
"""

_STATES = ["waiting", "in_production", "produced", "sent", "failed", "remade", "returned", "cancelled"]


class Migration(migrations.Migration):
    dependencies = [("issuance", "0052_item_states")]

    operations = [
        migrations.AddField(
            "orderitem",
            "replaces",
            models.OneToOneField(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="remade_as", to="issuance.orderitem"
            ),
        ),
        migrations.AddField("orderitem", "fault", models.CharField(default="", max_length=10)),
        migrations.AddField("orderitem", "remake_reason", models.CharField(default="", max_length=40)),
        migrations.AddField("orderitem", "dispatched_at", models.DateTimeField(null=True)),
        migrations.RunSQL(DISPATCHED, migrations.RunSQL.noop),
        migrations.RemoveConstraint("orderitem", "issuance_item_state"),
        migrations.AddConstraint(
            "orderitem",
            models.CheckConstraint(condition=models.Q(("state__in", _STATES)), name="issuance_item_state"),
        ),
        migrations.AddConstraint(
            "orderitem",
            models.CheckConstraint(
                condition=models.Q(
                    models.Q(("fault", ""), ("replaces", None)),
                    models.Q(("fault__in", ["supplier", "other"]), ("replaces__isnull", False)),
                    _connector="OR",
                ),
                name="issuance_item_fault",
            ),
        ),
        migrations.AddIndex(
            "orderitem",
            models.Index(fields=["id"], condition=models.Q(("state", "remade")), name="issuance_item_remade"),
        ),
        migrations.AddIndex(
            "orderitem",
            models.Index(
                fields=["dispatched_at"],
                condition=models.Q(("dispatched_at__isnull", False)),
                name="issuance_item_dispatched",
            ),
        ),
        migrations.RemoveConstraint("supplierevent", "issuance_supplier_event_kind"),
        migrations.AddConstraint(
            "supplierevent",
            models.CheckConstraint(
                condition=models.Q(("kind__in", ["produced", "sent", "failed", "returned", "remade"])),
                name="issuance_supplier_event_kind",
            ),
        ),
    ]

"""States and PUKs of items. Each item of before has that of its order, and one event."""

from django.db import migrations, models

FROM_ORDERS = """
UPDATE issuance_orderitem AS item SET
    state = CASE WHEN placed.state IN ('queued', 'accepted') THEN 'waiting' ELSE placed.state END,
    seq = 1,
    sent_on = placed.sent_on, registered_mail_id = placed.registered_mail_id, puk = placed.puk, puk_refusal = placed.puk_refusal
FROM issuance_cardorder AS placed WHERE placed.id = item.order_id;
INSERT INTO issuance_event (at, actor_ref, action, subject_type, subject_ref, subject_seq, facts)
SELECT now(), 'system:migration', 'item.recorded', 'item', id::text, 1,
    jsonb_build_object('from', NULL, 'to', state, 'order', order_id::text, 'item', number)
FROM issuance_orderitem;
"""

TO_ORDERS = """
UPDATE issuance_cardorder AS placed SET puk = item.puk, puk_refusal = item.puk_refusal
FROM issuance_orderitem AS item WHERE item.order_id = placed.id AND item.puk <> ''
AND NOT EXISTS (SELECT FROM issuance_orderitem AS later WHERE later.order_id = item.order_id AND later.number > item.number);
"""

_STATES = ["waiting", "in_production", "produced", "sent", "failed", "returned", "cancelled"]
_PUKS = ["", "none", "pending", "sealed", "refused"]


class Migration(migrations.Migration):
    dependencies = [("issuance", "0051_supplier_changes")]

    operations = [
        migrations.AddField("orderitem", "state", models.CharField(default="waiting", max_length=20), preserve_default=False),
        migrations.AddField("orderitem", "seq", models.PositiveIntegerField(default=0)),
        migrations.AddField("orderitem", "sent_on", models.DateField(null=True)),
        migrations.AddField("orderitem", "registered_mail_id", models.CharField(default="", max_length=13)),
        migrations.AddField("orderitem", "puk", models.CharField(default="", max_length=10)),
        migrations.AddField("orderitem", "puk_refusal", models.CharField(default="", max_length=40)),
        migrations.RunSQL(FROM_ORDERS, TO_ORDERS),
        migrations.AddConstraint(
            "orderitem",
            models.CheckConstraint(condition=models.Q(("state__in", _STATES)), name="issuance_item_state"),
        ),
        migrations.AddConstraint(
            "orderitem",
            models.CheckConstraint(condition=models.Q(("puk__in", _PUKS)), name="issuance_item_puk"),
        ),
        migrations.AddConstraint(
            "orderitem",
            models.CheckConstraint(
                condition=models.Q(("puk", "refused"), ("puk_refusal", ""), _connector="XOR"), name="issuance_item_puk_refusal"
            ),
        ),
        migrations.AddIndex("orderitem", models.Index(fields=["order", "state"], name="issuance_item_order_state")),
        migrations.AddIndex(
            "orderitem",
            models.Index(
                fields=["puk", "id"], condition=models.Q(("puk__in", ["pending", "refused"])), name="issuance_item_puk_waits"
            ),
        ),
        migrations.RemoveConstraint("cardorder", "issuance_order_puk"),
        migrations.RemoveConstraint("cardorder", "issuance_order_puk_refusal"),
        migrations.RemoveIndex("cardorder", "issuance_order_puk_waits"),
        migrations.RemoveField("cardorder", "puk"),
        migrations.RemoveField("cardorder", "puk_refusal"),
    ]

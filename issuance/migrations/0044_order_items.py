"""Orders have items. Each order of today becomes one with a single card; suppliers report on items."""

import django.db.models.deletion
from django.db import migrations, models

ITEMS = """
INSERT INTO issuance_orderitem (order_id, number, kind, carrier_id, eid_id)
SELECT id, 1, 'card', carrier_id, eid_id FROM issuance_cardorder;
UPDATE issuance_cardorder AS placed SET person_id = carrier.person_id
FROM issuance_carrier AS carrier WHERE carrier.id = placed.carrier_id;
UPDATE issuance_supplierevent AS told SET item_id = item.id FROM issuance_orderitem AS item WHERE item.order_id = told.order_id;
SET CONSTRAINTS ALL IMMEDIATE;
"""

ORDERS = """
UPDATE issuance_cardorder AS placed SET carrier_id = item.carrier_id, eid_id = item.eid_id
FROM issuance_orderitem AS item WHERE item.order_id = placed.id;
UPDATE issuance_supplierevent AS told SET order_id = item.order_id FROM issuance_orderitem AS item WHERE item.id = told.item_id;
DELETE FROM issuance_orderitem;
SET CONSTRAINTS ALL IMMEDIATE;
"""


def one_to_one(to: str, name: str) -> "models.OneToOneField[models.Model, models.Model]":
    return models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name=name, to=to)


class Migration(migrations.Migration):
    dependencies = [("issuance", "0043_carrier_kinds")]

    operations = [
        migrations.CreateModel(
            name="OrderItem",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveSmallIntegerField()),
                ("kind", models.CharField(max_length=20)),
                ("carrier", one_to_one("issuance.carrier", "item")),
                ("eid", one_to_one("issuance.eid", "item")),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="items", to="issuance.cardorder"
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="cardorder",
            name="person",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="card_orders", to="issuance.person"
            ),
        ),
        migrations.AddField(
            model_name="supplierevent",
            name="item",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="supplier_events",
                to="issuance.orderitem",
            ),
        ),
        # Both may be empty on the way back, until the rows have been copied.
        migrations.AlterField("cardorder", "carrier", one_to_one("issuance.carrier", "order")),
        migrations.AlterField("cardorder", "eid", one_to_one("issuance.eid", "card_order")),
        migrations.AlterField(
            "supplierevent",
            "order",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="supplier_events",
                to="issuance.cardorder",
            ),
        ),
        migrations.RunSQL(ITEMS, ORDERS),
        migrations.RemoveConstraint(model_name="supplierevent", name="issuance_supplier_event_once"),
        migrations.RemoveIndex(model_name="supplierevent", name="issuance_supplier_event_parked"),
        migrations.RemoveField(model_name="supplierevent", name="order"),
        migrations.RemoveField(model_name="cardorder", name="carrier"),
        migrations.RemoveField(model_name="cardorder", name="eid"),
        migrations.AlterField(
            model_name="supplierevent",
            name="item",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="supplier_events", to="issuance.orderitem"
            ),
        ),
        migrations.AddIndex(
            model_name="supplierevent",
            index=models.Index(
                fields=["kind", "item"],
                condition=models.Q(("status", "parked")),
                name="issuance_supplier_event_parked",
            ),
        ),
        migrations.AddConstraint(
            model_name="supplierevent",
            constraint=models.UniqueConstraint(fields=("item", "kind"), name="issuance_supplier_event_once"),
        ),
        migrations.AddConstraint(
            model_name="orderitem",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["card", "reserve_card", "letter"])), name="issuance_item_kind"
            ),
        ),
        migrations.AddConstraint(
            model_name="orderitem",
            constraint=models.CheckConstraint(
                condition=models.Q(("carrier__isnull", False), ("kind__in", ["letter"]), _connector="XOR"),
                name="issuance_item_makes_carrier",
            ),
        ),
        migrations.AddConstraint(
            model_name="orderitem",
            constraint=models.UniqueConstraint(fields=("order", "number"), name="issuance_item_number"),
        ),
    ]

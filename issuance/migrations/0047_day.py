"""Indexes of Dagen: a user's own day, and cards and orders of an organisation that wait."""

from django.db import migrations, models

_OWN_DAY = ("person.shown", "carrier.ordered", "carrier.revoked", "eid.revoked", "eid_order.ordered")


class Migration(migrations.Migration):
    dependencies = [
        ("issuance", "0046_eid_orders"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                fields=["actor_ref", "at"], name="issuance_event_own_day", condition=models.Q(("action__in", _OWN_DAY))
            ),
        ),
        migrations.AddIndex(
            model_name="receipt",
            index=models.Index(fields=["officer_ref", "signed_at"], name="issuance_receipt_officer"),
        ),
        migrations.AddIndex(
            model_name="carrier",
            index=models.Index(
                fields=["organisation", "sent_at", "id"],
                name="issuance_carrier_waiting",
                condition=models.Q(("state", "sent")),
            ),
        ),
        migrations.AddIndex(
            model_name="cardorder",
            index=models.Index(
                fields=["organisation", "ordered_at"],
                name="issuance_order_to_nothing",
                condition=models.Q(("state__in", ["failed", "returned"])),
            ),
        ),
    ]

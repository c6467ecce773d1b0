"""Shows on each order whether the portal has its card's PUK, and finds what waits for one."""

from django.db import migrations, models

COPY = """
UPDATE issuance_cardorder AS card_order
SET puk = CASE
        WHEN secret.state = 'received' THEN 'pending'
        WHEN secret.state = 'refused' THEN 'refused'
        WHEN secret.sealed_at IS NOT NULL THEN 'sealed'
        ELSE ''
    END,
    puk_refusal = CASE WHEN secret.state <> 'refused' THEN '' WHEN secret.failure = 'length' THEN 'format' ELSE secret.failure END
FROM (SELECT DISTINCT ON (owner_ref) owner_ref, state, failure, sealed_at FROM pki_secret ORDER BY owner_ref, created_at DESC)
    AS secret
WHERE secret.owner_ref = 'carrier:' || card_order.carrier_id AND card_order.produced_at IS NOT NULL
"""
WITHOUT = """
UPDATE issuance_cardorder AS card_order SET puk = 'none'
FROM issuance_carrier AS carrier
WHERE carrier.id = card_order.carrier_id AND card_order.produced_at IS NOT NULL
    AND carrier.card_serial <> '' AND carrier.card_key_sha256 = ''
"""


class Migration(migrations.Migration):
    """Orders whose card is produced get what `pki` made of their newest PUK; cards without keys of their own have none."""

    dependencies = [
        ("issuance", "0030_card_keys_of_secrets"),
    ]

    operations = [
        migrations.AddField(
            model_name="cardorder",
            name="puk",
            field=models.CharField(default="", max_length=10),
        ),
        migrations.AddField(
            model_name="cardorder",
            name="puk_refusal",
            field=models.CharField(default="", max_length=40),
        ),
        migrations.RunSQL([COPY, WITHOUT, "SET CONSTRAINTS ALL IMMEDIATE"], migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="cardorder",
            constraint=models.CheckConstraint(
                condition=models.Q(puk__in=["", "none", "pending", "sealed", "refused"]),
                name="issuance_order_puk",
            ),
        ),
        migrations.AddConstraint(
            model_name="cardorder",
            constraint=models.CheckConstraint(
                condition=models.Q(("puk", "refused"), ("puk_refusal", ""), _connector="XOR"),
                name="issuance_order_puk_refusal",
            ),
        ),
        migrations.AddIndex(
            model_name="cardorder",
            index=models.Index(
                condition=models.Q(("puk__in", ["pending", "refused"])),
                fields=["puk", "id"],
                name="issuance_order_puk_waits",
            ),
        ),
        migrations.AddIndex(
            model_name="carrier",
            index=models.Index(
                condition=models.Q(("puk_secret_id__isnull", False)),
                fields=["puk_secret_id"],
                name="issuance_carrier_puk",
            ),
        ),
        migrations.AddIndex(
            model_name="supplierevent",
            index=models.Index(
                condition=models.Q(("status", "parked")),
                fields=["kind", "order"],
                name="issuance_supplier_event_parked",
            ),
        ),
    ]

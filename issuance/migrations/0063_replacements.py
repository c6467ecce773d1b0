"""Replacement of a card: the order, and the draft before it, name the card that the new one replaces, and why."""

import django.db.models.deletion
from django.db import migrations, models

_REASONS = ["lost", "damaged", "changed_details"]


class Migration(migrations.Migration):
    """Orders and drafts so far replace no card."""

    dependencies = [("issuance", "0062_reserve_card_issues")]

    operations = [
        migrations.AddField(
            "cardorder",
            "replaced_carrier",
            models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="replacements",
                to="issuance.carrier",
            ),
        ),
        migrations.AddField("cardorder", "replacement_reason", models.CharField(default="", max_length=20)),
        migrations.AddConstraint(
            "cardorder",
            models.CheckConstraint(
                condition=models.Q(
                    models.Q(("replaced_carrier", None), ("replacement_reason", "")),
                    models.Q(("replaced_carrier__isnull", False), ("replacement_reason__in", _REASONS)),
                    _connector="OR",
                ),
                name="issuance_order_replacement",
            ),
        ),
        migrations.AddIndex(
            "cardorder",
            models.Index(
                condition=models.Q(("replaced_carrier__isnull", False)),
                fields=["replaced_carrier"],
                name="issuance_order_replaced",
            ),
        ),
        migrations.AddField(
            "orderdraft",
            "replaced_carrier",
            models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="issuance.carrier"
            ),
        ),
        migrations.AddField("orderdraft", "replacement_reason", models.CharField(default="", max_length=20)),
        migrations.AddConstraint(
            "orderdraft",
            models.CheckConstraint(
                condition=models.Q(
                    ("replacement_reason", ""),
                    models.Q(("replaced_carrier__isnull", False), ("replacement_reason__in", _REASONS)),
                    _connector="OR",
                ),
                name="issuance_draft_replacement",
            ),
        ),
    ]

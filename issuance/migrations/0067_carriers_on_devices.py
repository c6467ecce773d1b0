"""Carriers on devices of holders: they have no article, and the name of the device."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Cards stay as they are."""

    dependencies = [("issuance", "0066_searches_by_mifare_id")]

    operations = [
        migrations.AddField("carrier", "device", models.CharField(db_default="", default="", max_length=60)),
        migrations.AlterField(
            "carrier",
            "article",
            models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="issuance.article"
            ),
        ),
        migrations.AddConstraint(
            "carrier",
            models.CheckConstraint(
                condition=models.Q(("kind__in", ["ordinary_card", "reserve_card", "test_card"]), _negated=True)
                | models.Q(("article__isnull", False), ("device", "")),
                name="issuance_carrier_article",
            ),
        ),
    ]

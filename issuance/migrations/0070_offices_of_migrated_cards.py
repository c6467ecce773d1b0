"""The office of a card from before this portal. Cards that are known have none."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Cards stay as they are."""

    dependencies = [("issuance", "0069_document_suspicions")]

    operations = [
        migrations.AddField(
            "carrier",
            "office",
            models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="migrated_cards",
                to="issuance.office",
            ),
        ),
        migrations.AddIndex(
            "carrier",
            models.Index(
                fields=["office"], condition=models.Q(("office__isnull", False)), name="issuance_carrier_office"
            ),
        ),
    ]

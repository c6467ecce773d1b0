"""A card customisation can be pending at its organisation until it is verified."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds the column; nothing is pending at first."""

    dependencies = [("issuance", "0039_card_reports")]

    operations = [
        migrations.AddField(
            model_name="organisation",
            name="pending_customisation",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="pending_at",
                to="issuance.cardcustomisation",
            ),
        ),
    ]

"""The index for a clerk's last order for an organisation, which the next order proposes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("issuance", "0047_day"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="cardorder",
            index=models.Index(
                condition=models.Q(("person__isnull", False)),
                fields=["ordered_by_ref", "organisation", "-ordered_at"],
                name="issuance_order_last_own",
            ),
        ),
    ]

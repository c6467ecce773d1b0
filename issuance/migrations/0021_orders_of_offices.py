"""What an office is used for: its last order, and those under way."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("issuance", "0020_names_in_scopes")]

    operations = [
        migrations.AddIndex("cardorder", models.Index(fields=["office", "-ordered_at"], name="issuance_order_office")),
        migrations.AddIndex(
            "cardorder",
            models.Index(
                fields=["office"],
                name="issuance_order_office_underway",
                condition=models.Q(state__in=["queued", "accepted", "in_production", "produced"]),
            ),
        ),
    ]

"""The indexes for lists of bundles of reserve cards, whose orders name no person."""

from django.db import migrations, models

_BUNDLE = models.Q(("person__isnull", True))


class Migration(migrations.Migration):
    dependencies = [("issuance", "0055_puk_letters")]

    operations = [
        migrations.AddIndex(
            "cardorder", models.Index(condition=_BUNDLE, fields=["organisation", "id"], name="issuance_order_bundles")
        ),
        migrations.AddIndex(
            "cardorder", models.Index(condition=_BUNDLE, fields=["office", "id"], name="issuance_order_bundles_to")
        ),
    ]

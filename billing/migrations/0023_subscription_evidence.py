"""The eIDs that a month-end count counted, bound to the count's hash."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from siths_portal.lib.events import append_only


class Migration(migrations.Migration):
    dependencies = [("billing", "0022_item_tried_at")]

    operations = [
        migrations.AddField(
            model_name="subscriptionsnapshot",
            name="evidence_sha256",
            field=models.CharField(db_default="", default="", max_length=64),
        ),
        migrations.CreateModel(
            name="SubscriptionEvidence",
            fields=[
                (
                    "snapshot",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="evidence",
                        serialize=False,
                        to="billing.subscriptionsnapshot",
                    ),
                ),
                ("eids", django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)),
            ],
        ),
        *append_only("billing_subscriptionevidence"),
    ]

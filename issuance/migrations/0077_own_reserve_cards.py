"""Reserve cards that their holders activate and extend: how the holder was identified at the hand-out, and orders of extensions."""

import django.db.models.deletion
from django.db import migrations, models

_KINDS = ["additional", "renewal", "extension"]
_REPLACING = ["renewal", "extension"]


class Migration(migrations.Migration):
    """Hand-outs of today have no identification of their own: their holders are identified when the card is activated."""

    dependencies = [("issuance", "0076_outcome_of_offices")]

    operations = [
        migrations.AddField(
            "reservecardissue",
            "identification",
            models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="reserve_issue",
                to="issuance.identification",
            ),
        ),
        migrations.RemoveConstraint("eidorder", "issuance_eid_order_kind"),
        migrations.RemoveConstraint("eidorder", "issuance_eid_order_replaces"),
        migrations.AddConstraint(
            "eidorder", models.CheckConstraint(condition=models.Q(("kind__in", _KINDS)), name="issuance_eid_order_kind")
        ),
        migrations.AddConstraint(
            "eidorder",
            models.CheckConstraint(
                condition=models.Q(("kind__in", _REPLACING), ("replaces__isnull", True), _connector="XOR"),
                name="issuance_eid_order_replaces",
            ),
        ),
    ]

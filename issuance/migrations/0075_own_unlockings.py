"""Unlocking by the holder: the transaction names the statement that another carrier of the holder signed."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Transactions of today keep their identification. A statement is the ground of one unlocking at most."""

    dependencies = [("issuance", "0074_fetched_eids")]

    operations = [
        migrations.AddField(
            "eidapptransaction",
            "ground",
            models.OneToOneField(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="unlocking", to="issuance.statement"
            ),
        ),
        migrations.RemoveConstraint("eidapptransaction", "issuance_transaction_identified"),
        migrations.AddConstraint(
            "eidapptransaction",
            models.CheckConstraint(
                condition=models.Q(("ground__isnull", True), ("identification__isnull", False))
                | models.Q(("ground__isnull", True), ("identification__isnull", True), ("kind__in", ["sign", "fetch"]))
                | models.Q(("ground__isnull", False), ("identification__isnull", True), ("kind", "unlock")),
                name="issuance_transaction_identified",
            ),
        ),
    ]

"""Unlocking of cards in use: a kind of eID app transaction."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """The other kinds stay as they are."""

    dependencies = [("issuance", "0058_requests_of_held_revocations")]

    operations = [
        migrations.RemoveConstraint("eidapptransaction", "issuance_transaction_kind"),
        migrations.AddConstraint(
            "eidapptransaction",
            models.CheckConstraint(
                condition=models.Q(("kind__in", ["activate", "sign", "unlock"])), name="issuance_transaction_kind"
            ),
        ),
    ]

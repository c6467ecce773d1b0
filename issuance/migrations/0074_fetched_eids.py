"""eIDs that holders fetch: transactions of the eID app for them, and the renewed person-id pair of a carrier."""

import django.db.models.deletion
from django.db import migrations, models

_KINDS = ["activate", "sign", "unlock", "fetch"]


class Migration(migrations.Migration):
    """Known transactions, requests and certificates stay as they are."""

    dependencies = [("issuance", "0073_hand_outs_of_an_officer")]

    operations = [
        migrations.AddField(
            "eidapptransaction",
            "eid_order",
            models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="transactions",
                to="issuance.eidorder",
            ),
        ),
        migrations.AddIndex(
            "eidapptransaction",
            models.Index(
                fields=["eid_order"],
                condition=models.Q(("eid_order__isnull", False)),
                name="issuance_transaction_eid_order",
            ),
        ),
        migrations.RemoveConstraint("eidapptransaction", "issuance_transaction_kind"),
        migrations.AddConstraint(
            "eidapptransaction",
            models.CheckConstraint(condition=models.Q(("kind__in", _KINDS)), name="issuance_transaction_kind"),
        ),
        migrations.RemoveConstraint("eidapptransaction", "issuance_transaction_identified"),
        migrations.AddConstraint(
            "eidapptransaction",
            models.CheckConstraint(
                condition=models.Q(("identification__isnull", False), ("kind__in", ["sign", "fetch"]), _connector="OR"),
                name="issuance_transaction_identified",
            ),
        ),
        migrations.AddConstraint(
            "eidapptransaction",
            models.CheckConstraint(
                condition=models.Q(("kind", "fetch"), ("eid_order__isnull", True), _connector="XOR"),
                name="issuance_transaction_fetches",
            ),
        ),
        migrations.AddField(
            "certificaterequest",
            "eid_order",
            models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="certificate_request",
                to="issuance.eidorder",
            ),
        ),
        migrations.AddField("certificaterequest", "confirmation", models.BinaryField(default=bytes)),
        migrations.AddField(
            "carriercertificate",
            "made_with",
            models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="issuance.eid",
            ),
        ),
        migrations.RemoveConstraint("carriercertificate", "issuance_one_certificate_per_profile"),
        migrations.AddConstraint(
            "carriercertificate",
            models.UniqueConstraint(
                fields=("carrier", "eid", "made_with", "profile"),
                name="issuance_one_certificate_per_profile",
                nulls_distinct=False,
            ),
        ),
        migrations.AddIndex(
            "carriercertificate",
            models.Index(
                fields=["made_with"],
                condition=models.Q(("made_with__isnull", False)),
                name="issuance_certificate_made_with",
            ),
        ),
    ]

"""Lets organisations have the role for reading invoices (`customer_finance`)."""

from django.db import migrations, models

_GLOBAL = ["finance_admin", "global_reader", "global_revoker", "master_data_admin", "pki_operator"]
_ORGANISATION = [
    "customer_finance",
    "deputy_issuer",
    "id_administrator",
    "reader",
    "reserve_card_admin_loa2",
    "reserve_card_admin_loa3",
    "revoker",
]


class Migration(migrations.Migration):
    """Replaces the constraint on the reach of grants: every row of before meets the new one."""

    dependencies = [("issuance", "0049_photo_sources")]

    operations = [
        migrations.RemoveConstraint(model_name="rolegrant", name="issuance_grant_reach"),
        migrations.AddConstraint(
            model_name="rolegrant",
            constraint=models.CheckConstraint(
                condition=models.Q(area=None, organisation=None, role__in=_GLOBAL)
                | models.Q(area=None, organisation=None, role__in=["system_admin"], valid_to__isnull=False)
                | models.Q(area__isnull=False, organisation=None, role__in=["responsible_issuer"])
                | models.Q(area=None, organisation__isnull=False, role__in=_ORGANISATION),
                name="issuance_grant_reach",
            ),
        ),
    ]

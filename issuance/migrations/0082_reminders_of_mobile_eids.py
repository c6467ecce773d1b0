"""Reminders before a mobile eID ends."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """A reminder is about an eID, or about a carrier that has no eIDs of assignments."""

    dependencies = [("issuance", "0081_receipt_validations")]

    operations = [
        migrations.RemoveConstraint("eidnotice", "issuance_eid_notice_days"),
        migrations.AddConstraint(
            "eidnotice",
            models.CheckConstraint(
                condition=Q(
                    Q(("about", "ending"), ("days__isnull", False)),
                    Q(Q(("about", "ending"), _negated=True), ("days", None)),
                    _connector="OR",
                ),
                name="issuance_eid_notice_days",
            ),
        ),
    ]

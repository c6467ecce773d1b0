"""Items of orders answer for what was ordered, and to whom: the portal's processes cannot remove them (ADR 0298)."""

from django.db import migrations

from siths_portal.lib.events import kept


class Migration(migrations.Migration):
    """Adds the trigger and takes the right."""

    dependencies = [("issuance", "0044_order_items")]

    operations = [*kept("issuance_orderitem")]

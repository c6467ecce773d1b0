"""More data of customers, requests for another electronic address, confirmations, and files of customers to import."""

import django.db.models.deletion
import siths_portal.lib.ids
from django.db import migrations, models
from siths_portal.lib.events import append_only

GUARD = """
CREATE FUNCTION billing_decide_only() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE decision text[] := ARRAY['decided_by', 'decided_at', 'approved'];
BEGIN
  IF TG_OP = 'DELETE' OR OLD.decided_by IS NOT NULL OR to_jsonb(NEW) - decision <> to_jsonb(OLD) - decision THEN
    RAISE EXCEPTION 'a request in % can only be decided, once', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER billing_endpoint_decide_only BEFORE UPDATE OR DELETE ON billing_endpointchange
  FOR EACH ROW EXECUTE FUNCTION billing_decide_only();
CREATE TRIGGER billing_endpoint_no_truncate BEFORE TRUNCATE ON billing_endpointchange
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

GUARD_REVERSE = """
DROP TRIGGER billing_endpoint_no_truncate ON billing_endpointchange;
DROP TRIGGER billing_endpoint_decide_only ON billing_endpointchange;
DROP FUNCTION billing_decide_only();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0009_deliveries"),
    ]

    operations = [
        migrations.CreateModel(
            name="CustomerConfirmation",
            fields=[
                (
                    "customer",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="confirmation",
                        serialize=False,
                        to="billing.billingcustomer",
                    ),
                ),
                ("confirmed_by", models.CharField(max_length=200)),
                ("confirmed_at", models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name="billingcustomer",
            name="approved_on",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="billingcustomer",
            name="attestant",
            field=models.CharField(blank=True, default="", max_length=200),
        ),
        migrations.AddField(
            model_name="billingcustomer",
            name="contact_email",
            field=models.EmailField(blank=True, default="", max_length=254),
        ),
        migrations.AddField(
            model_name="billingcustomer",
            name="contact_name",
            field=models.CharField(blank=True, default="", max_length=200),
        ),
        migrations.AddField(
            model_name="billingcustomer",
            name="contact_phone",
            field=models.CharField(blank=True, default="", max_length=40),
        ),
        migrations.AddField(
            model_name="billingcustomer",
            name="notice_email",
            field=models.EmailField(blank=True, default="", max_length=254),
        ),
        migrations.AddField(
            model_name="billingcustomer",
            name="order_pattern",
            field=models.CharField(blank=True, default="", max_length=100),
        ),
        migrations.AddField(
            model_name="billingcustomer",
            name="reference_pattern",
            field=models.CharField(blank=True, default="", max_length=100),
        ),
        migrations.AddField(
            model_name="billingcustomer",
            name="terms_accepted_on",
            field=models.DateField(null=True),
        ),
        migrations.CreateModel(
            name="CustomerImport",
            fields=[
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, primary_key=True, serialize=False)),
                ("owner_ref", models.CharField(max_length=200)),
                ("format", models.CharField(max_length=4)),
                ("sha256", models.CharField(max_length=64)),
                ("rows", models.JSONField()),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("done_at", models.DateTimeField(null=True)),
                ("made", models.JSONField(default=dict)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["expires_at"], name="billing_customer_import_ends"),
                    models.Index(fields=["owner_ref", "created_at"], name="billing_customer_import_owner"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("format__in", ["xlsx", "csv"])), name="billing_customer_import_format"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("done_at", None), ("rows", []), _connector="OR"),
                        name="billing_customer_import_done_is_empty",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="EndpointChange",
            fields=[
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("requested_by", models.CharField(max_length=200)),
                ("requested_at", models.DateTimeField()),
                ("decided_by", models.CharField(max_length=200, null=True)),
                ("decided_at", models.DateTimeField(null=True)),
                ("approved", models.BooleanField(null=True)),
                ("party_id", models.UUIDField()),
                ("endpoint_scheme", models.CharField(max_length=4)),
                ("endpoint_id", models.CharField(max_length=50)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("approved", None), ("decided_at", None), ("decided_by", None)),
                            models.Q(
                                ("approved__isnull", False),
                                ("decided_at__isnull", False),
                                ("decided_by__isnull", False),
                                models.Q(
                                    ("approved", False),
                                    models.Q(("decided_by", models.F("requested_by")), _negated=True),
                                    _connector="OR",
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="billing_endpoint_by_two",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("decided_at", None)), fields=("party_id",), name="billing_endpoint_one_open"
                    ),
                ],
            },
        ),
        migrations.RunSQL(GUARD, GUARD_REVERSE),
        *append_only("billing_customerconfirmation"),
    ]

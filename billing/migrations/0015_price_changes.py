"""Requests for prices, files of prices, the terms of the subscription, and prices that others replace."""

import django.contrib.postgres.constraints
import django.contrib.postgres.fields.ranges
import django.db.models.functions.comparison
import siths_portal.lib.ids
import uuid
from django.db import migrations, models

GUARD = """
CREATE FUNCTION billing_price_change_only() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE changing text[] := ARRAY['valid_until', 'withdrawn_at'];
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'a price is closed or withdrawn, not deleted' USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF OLD.withdrawn_at IS NOT NULL OR to_jsonb(NEW) - changing <> to_jsonb(OLD) - changing
     OR (OLD.valid_until IS NOT NULL AND NEW.valid_until IS DISTINCT FROM OLD.valid_until) THEN
    RAISE EXCEPTION 'of a price only its end and its withdrawal can be set, once' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
DROP TRIGGER billing_price_close_only ON billing_priceitem;
CREATE TRIGGER billing_price_change_only BEFORE UPDATE OR DELETE ON billing_priceitem
  FOR EACH ROW EXECUTE FUNCTION billing_price_change_only();
CREATE TRIGGER billing_pricechange_decide_only BEFORE UPDATE OR DELETE ON billing_pricechange
  FOR EACH ROW EXECUTE FUNCTION billing_decide_only();
CREATE TRIGGER billing_pricechange_no_truncate BEFORE TRUNCATE ON billing_pricechange
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

GUARD_REVERSE = """
DROP TRIGGER billing_pricechange_no_truncate ON billing_pricechange;
DROP TRIGGER billing_pricechange_decide_only ON billing_pricechange;
DROP TRIGGER billing_price_change_only ON billing_priceitem;
CREATE TRIGGER billing_price_close_only BEFORE UPDATE OR DELETE ON billing_priceitem
  FOR EACH ROW EXECUTE FUNCTION billing_close_only();
DROP FUNCTION billing_price_change_only();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0014_run_approval"),
    ]

    operations = [
        migrations.CreateModel(
            name="PriceChange",
            fields=[
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("requested_by", models.CharField(max_length=200)),
                ("requested_at", models.DateTimeField()),
                ("decided_by", models.CharField(max_length=200, null=True)),
                ("decided_at", models.DateTimeField(null=True)),
                ("approved", models.BooleanField(null=True)),
                ("article_code", models.CharField(max_length=20)),
                ("party_id", models.UUIDField(null=True)),
                ("unit_price", models.DecimalField(decimal_places=4, max_digits=12, null=True)),
                ("vat_rate", models.DecimalField(decimal_places=2, max_digits=5)),
                ("valid_from", models.DateField()),
                ("reason", models.CharField(blank=True, max_length=500)),
            ],
        ),
        migrations.CreateModel(
            name="PriceImport",
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
        ),
        migrations.RemoveConstraint(
            model_name="priceitem",
            name="billing_price_one_at_a_time",
        ),
        migrations.AddField(
            model_name="priceitem",
            name="terms",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="priceitem",
            name="withdrawn_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddConstraint(
            model_name="priceitem",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                condition=models.Q(("withdrawn_at", None)),
                expressions=[
                    ("article_code", "="),
                    (
                        django.db.models.functions.comparison.Coalesce(
                            "party_id",
                            models.Value(uuid.UUID("00000000-0000-0000-0000-000000000000"), output_field=models.UUIDField()),
                        ),
                        "=",
                    ),
                    (
                        models.Func(
                            models.F("valid_from"),
                            models.F("valid_until"),
                            django.contrib.postgres.fields.ranges.RangeBoundary(),
                            function="DATERANGE",
                            output_field=django.contrib.postgres.fields.ranges.DateRangeField(),
                        ),
                        "&&",
                    ),
                ],
                name="billing_price_one_at_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="pricechange",
            constraint=models.CheckConstraint(
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
                name="billing_price_change_by_two",
            ),
        ),
        migrations.AddConstraint(
            model_name="pricechange",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("unit_price__gte", 0), ("vat_rate__gte", 0)),
                    models.Q(("party_id__isnull", False), ("unit_price", None)),
                    _connector="OR",
                ),
                name="billing_price_change_value",
            ),
        ),
        migrations.AddConstraint(
            model_name="pricechange",
            constraint=models.UniqueConstraint(
                condition=models.Q(("decided_at", None)),
                fields=("article_code", "party_id"),
                name="billing_price_change_one_open",
                nulls_distinct=False,
            ),
        ),
        migrations.AddIndex(
            model_name="priceimport",
            index=models.Index(fields=["expires_at"], name="billing_price_import_ends"),
        ),
        migrations.AddIndex(
            model_name="priceimport",
            index=models.Index(fields=["owner_ref", "created_at"], name="billing_price_import_owner"),
        ),
        migrations.AddConstraint(
            model_name="priceimport",
            constraint=models.CheckConstraint(
                condition=models.Q(("format__in", ["xlsx", "csv"])), name="billing_price_import_format"
            ),
        ),
        migrations.AddConstraint(
            model_name="priceimport",
            constraint=models.CheckConstraint(
                condition=models.Q(("done_at", None), ("rows", []), _connector="OR"), name="billing_price_import_done_is_empty"
            ),
        ),
        migrations.RunSQL(GUARD, GUARD_REVERSE),
    ]

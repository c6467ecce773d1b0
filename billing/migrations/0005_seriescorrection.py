from django.db import migrations, models

import siths_portal.lib.ids

GUARD = """
CREATE FUNCTION billing_approve_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' OR OLD.approved_by IS NOT NULL
     OR to_jsonb(NEW) - ARRAY['approved_by', 'approved_at'] <> to_jsonb(OLD) - ARRAY['approved_by', 'approved_at'] THEN
    RAISE EXCEPTION 'a correction of a series can only be approved, once' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER billing_correction_approve_only BEFORE UPDATE OR DELETE ON billing_seriescorrection
  FOR EACH ROW EXECUTE FUNCTION billing_approve_only();
CREATE TRIGGER billing_correction_no_truncate BEFORE TRUNCATE ON billing_seriescorrection
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

GUARD_REVERSE = """
DROP TRIGGER billing_correction_no_truncate ON billing_seriescorrection;
DROP TRIGGER billing_correction_approve_only ON billing_seriescorrection;
DROP FUNCTION billing_approve_only();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0004_invoicefile_renderer_version"),
    ]

    operations = [
        migrations.CreateModel(
            name="SeriesCorrection",
            fields=[
                ("id", models.UUIDField(default=siths_portal.lib.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("series", models.CharField(max_length=10)),
                ("after_sequence", models.PositiveIntegerField()),
                ("wrong_date", models.DateField()),
                ("from_date", models.DateField()),
                ("reason", models.CharField(max_length=500)),
                ("requested_by", models.CharField(max_length=200)),
                ("requested_at", models.DateTimeField()),
                ("approved_by", models.CharField(max_length=200, null=True)),
                ("approved_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["series", "after_sequence"], name="billing_correction_place")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("from_date__lt", models.F("wrong_date"))), name="billing_correction_goes_back"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("approved_at", None), ("approved_by", None)),
                            models.Q(
                                ("approved_at__isnull", False),
                                ("approved_by__isnull", False),
                                models.Q(("approved_by", models.F("requested_by")), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="billing_correction_by_two",
                    ),
                ],
            },
        ),
        migrations.RunSQL(GUARD, GUARD_REVERSE),
    ]

"""Retention: the database keeps what is booked through the seventh year after the financial year (bokföringslagen 7:2).

Most booked tables refuse every deletion already. This adds the day, the tables that did not, and what empties whole tables.
"""

from django.db import migrations, models

GUARD = """
CREATE FUNCTION billing_retention_until(booked_on date) RETURNS date LANGUAGE sql STABLE AS $$
  SELECT make_date(
    (extract(year FROM booked_on) + CASE WHEN extract(month FROM booked_on) > rule.year_ends_in THEN 1 ELSE 0 END)::int
      + rule.kept_years, 12, 31)
  FROM (
    SELECT coalesce(max(year_ends_in), 12) AS year_ends_in, coalesce(max(kept_years), 7) AS kept_years FROM billing_retentionrule
  ) rule
$$;

CREATE FUNCTION billing_refuse_retained() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE until date;
BEGIN
  IF TG_TABLE_NAME = 'billing_invoicerun' THEN
    until := billing_retention_until((OLD.opened_at AT TIME ZONE 'Europe/Stockholm')::date);
  ELSIF TG_TABLE_NAME = 'billing_runitem' THEN
    SELECT billing_retention_until((opened_at AT TIME ZONE 'Europe/Stockholm')::date) INTO until
      FROM billing_invoicerun WHERE id = OLD.run_id;
  ELSE
    SELECT billing_retention_until(issue_date) INTO until FROM billing_invoice WHERE id = OLD.invoice_id;
  END IF;
  IF until >= current_date THEN
    RAISE EXCEPTION 'rows of % are kept until %', TG_TABLE_NAME, until USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER billing_invoicerun_retained BEFORE DELETE ON billing_invoicerun
  FOR EACH ROW EXECUTE FUNCTION billing_refuse_retained();
CREATE TRIGGER billing_runitem_retained BEFORE DELETE ON billing_runitem
  FOR EACH ROW EXECUTE FUNCTION billing_refuse_retained();
CREATE TRIGGER billing_notice_retained BEFORE DELETE ON billing_notice
  FOR EACH ROW EXECUTE FUNCTION billing_refuse_retained();
CREATE TRIGGER billing_invoicerun_no_truncate BEFORE TRUNCATE ON billing_invoicerun
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER billing_runitem_no_truncate BEFORE TRUNCATE ON billing_runitem
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER billing_notice_no_truncate BEFORE TRUNCATE ON billing_notice
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER billing_customer_no_truncate BEFORE TRUNCATE ON billing_billingcustomer
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER billing_price_no_truncate BEFORE TRUNCATE ON billing_priceitem
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER billing_counter_no_truncate BEFORE TRUNCATE ON billing_counter
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER billing_retentionrule_retained BEFORE DELETE ON billing_retentionrule
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER billing_retentionrule_no_truncate BEFORE TRUNCATE ON billing_retentionrule
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
REVERSE = """
DROP TRIGGER billing_retentionrule_no_truncate ON billing_retentionrule;
DROP TRIGGER billing_retentionrule_retained ON billing_retentionrule;
DROP TRIGGER billing_counter_no_truncate ON billing_counter;
DROP TRIGGER billing_price_no_truncate ON billing_priceitem;
DROP TRIGGER billing_customer_no_truncate ON billing_billingcustomer;
DROP TRIGGER billing_notice_no_truncate ON billing_notice;
DROP TRIGGER billing_runitem_no_truncate ON billing_runitem;
DROP TRIGGER billing_invoicerun_no_truncate ON billing_invoicerun;
DROP TRIGGER billing_notice_retained ON billing_notice;
DROP TRIGGER billing_runitem_retained ON billing_runitem;
DROP TRIGGER billing_invoicerun_retained ON billing_invoicerun;
DROP FUNCTION billing_refuse_retained();
DROP FUNCTION billing_retention_until(date);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0019_reminders'),
    ]

    operations = [
        migrations.CreateModel(
            name='RetentionRule',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('year_ends_in', models.PositiveSmallIntegerField(default=12)),
                ('kept_years', models.PositiveSmallIntegerField(default=7)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='billing_retention_one_rule'), models.CheckConstraint(condition=models.Q(('year_ends_in__gte', 1), ('year_ends_in__lte', 12)), name='billing_retention_month'), models.CheckConstraint(condition=models.Q(('kept_years__gte', 7)), name='billing_retention_seven_years')],
            },
        ),
        migrations.RunSQL(GUARD, REVERSE),
    ]

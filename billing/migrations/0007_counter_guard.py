"""The database lets the counter of a series follow its issued invoices only, forwards."""

from django.db import migrations

GUARD = """
CREATE FUNCTION billing_counter_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'the counter of series % is kept', OLD.series USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF TG_OP = 'INSERT' THEN
    IF NEW.last <> 0 OR NEW.last_date IS NOT NULL
       OR NEW.last_hash <> encode(sha256(convert_to('billing series ' || NEW.series, 'UTF8')), 'hex') THEN
      RAISE EXCEPTION 'a counter begins before its first invoice' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.series <> OLD.series OR NEW.last < OLD.last OR NOT EXISTS (
    SELECT FROM billing_invoice
    WHERE series = NEW.series AND sequence = NEW.last AND chain_hash = NEW.last_hash AND issue_date = NEW.last_date
  ) THEN
    RAISE EXCEPTION 'the counter of series % follows its last invoice', OLD.series USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER billing_counter_follows BEFORE INSERT OR UPDATE OR DELETE ON billing_counter
  FOR EACH ROW EXECUTE FUNCTION billing_counter_follows();
"""

REVERSE = """
DROP TRIGGER billing_counter_follows ON billing_counter;
DROP FUNCTION billing_counter_follows();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0006_invoice_gate_version")]

    operations = [migrations.RunSQL(GUARD, REVERSE)]

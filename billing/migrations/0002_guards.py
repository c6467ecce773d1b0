"""What the database itself refuses: changes of ledger, snapshots, files and events, of issued invoices, and of versions in use."""

from django.db import migrations

from siths_portal.lib.events import append_only

ISSUED = """
CREATE FUNCTION billing_refuse_issued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.number IS NOT NULL THEN
      RAISE EXCEPTION 'an invoice begins as a draft' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.number IS NOT NULL THEN
    RAISE EXCEPTION 'invoice % is issued and cannot change', OLD.number USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER billing_invoice_issued BEFORE INSERT OR UPDATE OR DELETE ON billing_invoice
  FOR EACH ROW EXECUTE FUNCTION billing_refuse_issued();

CREATE FUNCTION billing_refuse_line_of_issued() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE issued text;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    RAISE EXCEPTION 'an invoice line is made anew, not changed' USING ERRCODE = 'insufficient_privilege';
  END IF;
  SELECT number INTO issued FROM billing_invoice
    WHERE id = CASE TG_OP WHEN 'DELETE' THEN OLD.invoice_id ELSE NEW.invoice_id END;
  IF issued IS NOT NULL THEN
    RAISE EXCEPTION 'invoice % is issued and cannot change', issued USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER billing_line_issued BEFORE INSERT OR UPDATE OR DELETE ON billing_invoiceline
  FOR EACH ROW EXECUTE FUNCTION billing_refuse_line_of_issued();

CREATE FUNCTION billing_refuse_entry_of_issued() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE issued text;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    RAISE EXCEPTION 'a ledger entry stays on its line' USING ERRCODE = 'insufficient_privilege';
  END IF;
  SELECT number INTO issued FROM billing_invoice i JOIN billing_invoiceline l ON l.invoice_id = i.id
    WHERE l.id = CASE TG_OP WHEN 'DELETE' THEN OLD.line_id ELSE NEW.line_id END;
  IF issued IS NOT NULL THEN
    RAISE EXCEPTION 'invoice % is issued and cannot change', issued USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER billing_lineevent_issued BEFORE INSERT OR UPDATE OR DELETE ON billing_lineevent
  FOR EACH ROW EXECUTE FUNCTION billing_refuse_entry_of_issued();

CREATE TRIGGER billing_invoice_no_truncate BEFORE TRUNCATE ON billing_invoice
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER billing_line_no_truncate BEFORE TRUNCATE ON billing_invoiceline
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER billing_lineevent_no_truncate BEFORE TRUNCATE ON billing_lineevent
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

ISSUED_REVERSE = """
DROP TRIGGER billing_invoice_no_truncate ON billing_invoice;
DROP TRIGGER billing_line_no_truncate ON billing_invoiceline;
DROP TRIGGER billing_lineevent_no_truncate ON billing_lineevent;
DROP TRIGGER billing_invoice_issued ON billing_invoice;
DROP TRIGGER billing_line_issued ON billing_invoiceline;
DROP TRIGGER billing_lineevent_issued ON billing_lineevent;
DROP FUNCTION billing_refuse_issued();
DROP FUNCTION billing_refuse_line_of_issued();
DROP FUNCTION billing_refuse_entry_of_issued();
"""

VERSIONS = """
CREATE FUNCTION billing_close_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'a version of % is closed, not deleted', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF OLD.valid_until IS NOT NULL OR to_jsonb(NEW) - 'valid_until' <> to_jsonb(OLD) - 'valid_until' THEN
    RAISE EXCEPTION 'of a version of % only its end can be set, once', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER billing_customer_close_only BEFORE UPDATE OR DELETE ON billing_billingcustomer
  FOR EACH ROW EXECUTE FUNCTION billing_close_only();
CREATE TRIGGER billing_price_close_only BEFORE UPDATE OR DELETE ON billing_priceitem
  FOR EACH ROW EXECUTE FUNCTION billing_close_only();

CREATE FUNCTION billing_price_in_use() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM billing_ledgerentry WHERE price_item_id = NEW.id AND priced_on >= NEW.valid_until) THEN
    RAISE EXCEPTION 'the price was used on or after that day' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER billing_price_in_use BEFORE UPDATE ON billing_priceitem
  FOR EACH ROW EXECUTE FUNCTION billing_price_in_use();
"""

VERSIONS_REVERSE = """
DROP TRIGGER billing_price_in_use ON billing_priceitem;
DROP TRIGGER billing_price_close_only ON billing_priceitem;
DROP TRIGGER billing_customer_close_only ON billing_billingcustomer;
DROP FUNCTION billing_price_in_use();
DROP FUNCTION billing_close_only();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]

    operations = [
        *append_only("billing_event"),
        *append_only("billing_eventseal"),
        *append_only("billing_document"),
        *append_only("billing_ledgerentry"),
        *append_only("billing_subscriptionsnapshot"),
        *append_only("billing_invoicefile"),
        migrations.RunSQL(ISSUED, ISSUED_REVERSE),
        migrations.RunSQL(VERSIONS, VERSIONS_REVERSE),
    ]

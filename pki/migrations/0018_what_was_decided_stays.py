"""What the database itself refuses: to decide a matter anew, to approve one's own, other times or another profile than were
signed, another certificate in a CA's place, and a way back for a CA that ended (ADR 0146).
"""

from django.db import migrations

APPROVAL = """
CREATE FUNCTION pki_refuse_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'approval request %: %', OLD.id, TG_ARGV[0] USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER pki_approvalrequest_end_is_final BEFORE UPDATE OF state, expires_at ON pki_approvalrequest
  FOR EACH ROW WHEN (
    (OLD.state IN ('used', 'rejected', 'withdrawn', 'expired') AND NEW.state <> OLD.state) OR NEW.expires_at > OLD.expires_at
  ) EXECUTE FUNCTION pki_refuse_decision('a matter that came to its end stays there');

CREATE FUNCTION pki_refuse_too_few() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.required > (
    SELECT count(DISTINCT approver_ref) FROM pki_approval
    WHERE request_id = NEW.id AND decision = 'approved' AND document_sha256 = NEW.document_sha256
      AND approver_ref <> NEW.requester_ref
  ) THEN
    RAISE EXCEPTION 'approval request %: too few have approved it', NEW.id USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER pki_approvalrequest_enough BEFORE UPDATE OF state ON pki_approvalrequest
  FOR EACH ROW WHEN (NEW.state = 'approved' AND OLD.state <> 'approved') EXECUTE FUNCTION pki_refuse_too_few();

CREATE FUNCTION pki_refuse_approval() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
    SELECT 1 FROM pki_approvalrequest
    WHERE id = NEW.request_id AND state = 'open' AND requester_ref <> NEW.approver_ref AND document_sha256 = NEW.document_sha256
  ) THEN
    RAISE EXCEPTION 'approval request %: not open, not of this document, or the approver''s own', NEW.request_id
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER pki_approval_by_another BEFORE INSERT ON pki_approval FOR EACH ROW EXECUTE FUNCTION pki_refuse_approval();
"""
UNDO_APPROVAL = """
DROP TRIGGER pki_approval_by_another ON pki_approval;
DROP TRIGGER pki_approvalrequest_enough ON pki_approvalrequest;
DROP TRIGGER pki_approvalrequest_end_is_final ON pki_approvalrequest;
DROP FUNCTION pki_refuse_approval();
DROP FUNCTION pki_refuse_too_few();
DROP FUNCTION pki_refuse_decision();
"""

# A row that was planned here has its bytes: what the row says of them decides when its CRL entry may go.
CERTIFICATE = """
CREATE TRIGGER pki_certificate_says_what_was_signed BEFORE UPDATE OF not_before, not_after, profile_version_id ON pki_certificate
  FOR EACH ROW WHEN (
    OLD.tbs_sha256 <> '' AND (
      NEW.not_before <> OLD.not_before OR NEW.not_after <> OLD.not_after
      OR NEW.profile_version_id IS DISTINCT FROM OLD.profile_version_id
    )
  ) EXECUTE FUNCTION pki_refuse_certificate_change('what was planned is what is signed');
"""
UNDO_CERTIFICATE = "DROP TRIGGER pki_certificate_says_what_was_signed ON pki_certificate;"

AUTHORITY = """
CREATE FUNCTION pki_refuse_authority_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'certificate authority %: %', OLD.id, TG_ARGV[0] USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER pki_certificateauthority_is_its_certificate
  BEFORE UPDATE OF slug, generation, parent_id, file_stem, subject_der, certificate_der, ski, not_before, not_after,
    name_sha1, name_sha256, key_sha1, key_sha256
  ON pki_certificateauthority
  FOR EACH ROW WHEN (
    OLD.certificate_der <> ''::bytea AND
    (NEW.slug, NEW.generation, NEW.parent_id, NEW.file_stem, NEW.subject_der, NEW.certificate_der, NEW.ski, NEW.not_before,
      NEW.not_after, NEW.name_sha1, NEW.name_sha256, NEW.key_sha1, NEW.key_sha256)
    IS DISTINCT FROM
    (OLD.slug, OLD.generation, OLD.parent_id, OLD.file_stem, OLD.subject_der, OLD.certificate_der, OLD.ski, OLD.not_before,
      OLD.not_after, OLD.name_sha1, OLD.name_sha256, OLD.key_sha1, OLD.key_sha256)
  ) EXECUTE FUNCTION pki_refuse_authority_change('a CA keeps its certificate');
CREATE TRIGGER pki_certificateauthority_end_is_final BEFORE UPDATE OF state ON pki_certificateauthority
  FOR EACH ROW WHEN (
    (OLD.state = 'compromised' AND NEW.state <> 'compromised')
    OR (OLD.state = 'retired' AND NEW.state NOT IN ('retired', 'compromised'))
  ) EXECUTE FUNCTION pki_refuse_authority_change('there is no way back from this state');
"""
UNDO_AUTHORITY = """
DROP TRIGGER pki_certificateauthority_is_its_certificate ON pki_certificateauthority;
DROP TRIGGER pki_certificateauthority_end_is_final ON pki_certificateauthority;
DROP FUNCTION pki_refuse_authority_change();
"""


class Migration(migrations.Migration):
    """Tables stay as they are."""

    dependencies = [("pki", "0017_ocsp_feed")]
    operations = [
        migrations.RunSQL(APPROVAL, UNDO_APPROVAL),
        migrations.RunSQL(CERTIFICATE, UNDO_CERTIFICATE),
        migrations.RunSQL(AUTHORITY, UNDO_AUTHORITY),
    ]

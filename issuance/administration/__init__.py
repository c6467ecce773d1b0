"""The pages of Administrera that concern a whole area or organisation: overview, next steps, change history."""

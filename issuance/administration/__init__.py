"""The pages of Administrera that concern an entire area or organisation: overview, next steps, change history."""

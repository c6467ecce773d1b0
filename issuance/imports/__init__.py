"""Set-up files: templates, preview, execution and export of organisations, offices and role holders."""

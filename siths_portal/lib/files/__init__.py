"""Files from and to people: uploads, downloads, images, tables, CSV and XLSX; and files on disk."""

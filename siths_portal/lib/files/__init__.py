"""Files of users (uploads, downloads, images, tables, CSV and XLSX), and files on disk."""

"""systemd units and Kubernetes manifests, made from the table of processes (siths_portal/lib/processes/table.py)."""

"""What every application may use: errors, clock, events, feeds, documents, jobs, ports. Imports none of the applications."""

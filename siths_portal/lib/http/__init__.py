"""HTTP: the outbound client, and response headers, compression and limits of our sites."""

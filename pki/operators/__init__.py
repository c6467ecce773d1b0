"""What operators look at: CAs, keys, certificates, and what waits for approval. Reads alone; nothing here needs a token."""

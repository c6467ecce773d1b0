"""What X.509 and signatures by our key types need everywhere."""

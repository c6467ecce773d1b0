"""The audit chain: seals, MACs, signed heads, and their verification."""

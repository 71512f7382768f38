"""Vectors -> ranks: exact ranks over whole pools, BM25, the ranks table."""

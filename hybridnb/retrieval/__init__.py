"""Vectors -> ranks: exact ranks over whole pools, BM25, TREC runs, the ranks table; shards of what does not fit."""

"""Candidates that do not fit into memory, in shards: files of vectors, a FAISS index of each, and what they find.

A shard is a run of one language's candidates. Everything that is made of one is a file of its own, written whole and
once, so that work goes on where it was stopped and is shared between processes and machines that see one directory.
Memory holds a shard, and what its queries find.
"""

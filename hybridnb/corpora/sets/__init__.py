"""The data sets, one source a module."""

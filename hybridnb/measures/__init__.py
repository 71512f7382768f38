"""Ranks -> numbers: metrics, language bias, significance."""

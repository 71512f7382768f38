"""Pairs -> weights: batch strategies, InfoNCE, the Trainer."""

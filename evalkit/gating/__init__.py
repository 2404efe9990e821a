"""Gating: the evidence of two models on the same items, the rules that checks share, and the verdict."""

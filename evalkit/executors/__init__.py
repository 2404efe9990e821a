"""Executors: many calls in, every attempt into the ledger."""

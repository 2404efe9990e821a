"""evalkit: which Claude model is right for your workload, with evidence."""

__version__ = "0.1.0"

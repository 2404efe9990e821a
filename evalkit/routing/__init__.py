"""Valuing routing policies on graded outputs: what each would cost, how good and how slow it would be."""

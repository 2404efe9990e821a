"""Checks of a gate: one file each, with `ORDER`, `Settings` and `check(evidence, asked, rules)`; found by folder.

A check's name in `gate.yaml` is its file's. It yields one `CheckResult` for each figure that it looks at, and yields
pass only where the figure is shown to keep to its limit. `foresee` and `asks`, where a check has them, say before
anything is spent which shares it will test, and what it takes of graders and items.
"""

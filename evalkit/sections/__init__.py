"""Report sections: one file each, with `ORDER` and `build(analysis) -> Section | None`; found by folder."""

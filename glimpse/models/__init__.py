"""Models, one per file, and their shared layers and losses."""

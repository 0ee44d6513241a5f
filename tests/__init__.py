"""The tests: the same tree as the source, one marker a tier (pyproject.toml)."""

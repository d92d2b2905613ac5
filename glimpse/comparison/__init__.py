"""Comparing trained classifiers: what each one costs, how sure its error is, and whether two of them differ."""

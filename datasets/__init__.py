"""Digit sources, the cluttered-digit generator, built sets and a person's own files."""

if __name__ != "glimpse.datasets":
    raise ImportError("import it as glimpse.datasets: the bare name 'datasets' belongs to other packages")

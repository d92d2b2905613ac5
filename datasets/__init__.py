"""Digit sources, the cluttered-digit generator, generative sets, built sets and your own files."""

if __name__ != "glimpse.datasets":
    raise ImportError("import it as glimpse.datasets: the bare name 'datasets' belongs to other packages")

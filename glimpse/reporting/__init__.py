"""Reports of trained models: one HTML file with settings, curves, errors and pictures."""

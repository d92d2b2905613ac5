"""Evaluation of trained models: predictions, metrics, costs and published numbers."""

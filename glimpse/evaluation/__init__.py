"""What a trained model is judged by: predictions, metrics, costs, published numbers."""

"""What a trained DRAW can be asked for: samples, reconstructions, interpolations, and their figures."""

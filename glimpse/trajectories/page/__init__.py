"""The page of trajectories: one HTML file that opens from disk."""

"""Where a model looked: collecting trajectories, writing and reading them, drawing them."""

"""Training: the engine, the tasks it trains, and the folder of a run."""

"""Training: the engine, the tasks it trains, and the run folder it writes."""

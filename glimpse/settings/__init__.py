"""What can be chosen: configs, presets and suites. Imports no torch, so that `--help` answers at once."""

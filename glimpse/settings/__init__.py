"""Configs, presets, suites and requests. Nothing here imports torch, so that `--help` responds immediately."""

"""Runs the commands: `python -m glimpse` is `glimpse`, also under torchrun."""

from glimpse.cli import main

if __name__ == "__main__":
    main()

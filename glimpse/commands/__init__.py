"""Implementation of the commands: shared options, printed output and progress bars."""

"""Searches for the settings of a training: trials of a study, each an ordinary run, chosen by what earlier ones reached."""

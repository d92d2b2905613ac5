"""The commands: the only room that parses options, prints, and draws progress."""

"""How fast the package is on this machine, next to what the machine itself reaches."""

"""Speed and memory of the package on this machine, next to the machine's own matrix product and copy."""

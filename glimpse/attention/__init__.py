"""The equations: Gaussian filterbank, window, read and write. Imports torch only."""

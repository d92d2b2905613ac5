"""Equations of attention: Gaussian filterbank, window, read, write and retina. Imports torch only."""

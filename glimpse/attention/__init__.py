"""The equations: Gaussian filterbank, window, read and write. Torch alone, no models."""

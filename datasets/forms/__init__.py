"""The forms in which labeled images are given: one form a module, tried in the order of `glimpse.datasets.forms.catalog`."""

"""Sets of cluttered digits that `glimpse dataset build` wrote."""

from glimpse.datasets.built_set import MANIFEST, PLAN, read_set
from glimpse.datasets.forms.found import Found, Stored
from glimpse.datasets.forms.given import Form, Given
from glimpse.datasets.labels import Labels
from glimpse.digest import sha256_of_file

__all__ = ["FORM"]


def _takes(given: Given) -> bool:
    return given.path is not None and any((given.path / name).is_file() for name in (MANIFEST, PLAN))


def _open(given: Given) -> Found:
    """Returns all images of a set, with the centers of their digits.

    Raises:
        ValueError: If the build did not finish, or the set is damaged.
    """
    built = read_set(given.source)
    stored = Stored(built.images, Labels.of(built.labels, f"{given.path}: labels", built.class_names), built.centers)
    digest = sha256_of_file(given.source / MANIFEST)
    return Found("built set", str(given.path), digest, {"all": stored}, class_names=built.class_names, frame=built.frame)


FORM = Form("a set that dataset build wrote", _takes, _open)

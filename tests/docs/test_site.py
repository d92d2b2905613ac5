"""The documentation builds without a warning, documents the public names, and loads nothing from elsewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import glimpse

pytest.importorskip("sphinx", reason="the extra `docs` is not installed")
from sphinx.util.inventory import InventoryFile

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds the site, and returns its folder."""
    out = tmp_path_factory.mktemp("site")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-d",
        str(out / "doctrees"),
        str(ROOT / "docs"),
        str(out / "html"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out / "html"


def test_every_public_name_is_documented(site: Path) -> None:
    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="")
    documented = {name for kind in inventory.data.values() for name in kind}
    public = [getattr(glimpse, name) for name in glimpse.__all__ if name not in ("datasets", "trajectories")]
    public += [getattr(glimpse.trajectories, name) for name in glimpse.trajectories.__all__]
    assert [f"{item.__module__}.{item.__name__}" for item in public if f"{item.__module__}.{item.__name__}" not in documented] == []


def test_no_page_loads_anything_from_another_address(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 15
    loaded = re.compile(r"<(?:script|img|iframe)[^>]* src=\"(?:https?:)?//|<link[^>]* href=\"(?:https?:)?//")
    assert [page.name for page in pages if loaded.search(page.read_text("utf-8"))] == []


def test_equations_are_rendered_without_a_script(site: Path) -> None:
    page = (site / "api" / "attention.html").read_text("utf-8")
    assert page.count("<math") > 3
    assert "mathjax" not in page.lower()


def test_the_version_to_cite_is_that_of_the_package() -> None:
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.search(r"^version: (.+)$", citation, re.MULTILINE)[1] == glimpse.__version__  # type: ignore[index]

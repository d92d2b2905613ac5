"""The package: its two links, the contents of the wheel, the direction of imports, and lazy loading."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import glimpse
from glimpse import cli

ROOT = Path(__file__).parent.parent


def loaded_by(statement: str) -> set[str]:
    """Returns the top-level modules that a fresh interpreter has loaded after a statement."""
    code = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def build(kind: str, source: Path, out: Path) -> Path:
    """Builds an sdist or a wheel without a network, and returns the file."""
    command = [sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.iterdir()
    return built


class Built(NamedTuple):
    """A copy of the tree, the wheel built from it, and the wheel built from its sdist."""

    tree: Path
    wheel: Path
    wheel_of_sdist: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Builds the wheels from a copy of the tree, with short files in place of the weights, which are slow to compress."""
    work = tmp_path_factory.mktemp("build")
    tree = work / "tree"
    tree.mkdir()
    for name in ("glimpse", "datasets"):
        shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for weights in (tree / "glimpse" / "pretrained").glob("*.safetensors"):
        weights.write_text(weights.name, encoding="utf-8")
    for name in ("cli.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tree / name)
    sdist = build("sdist", tree, work / "sdist")
    (work / "unpacked").mkdir()
    subprocess.run(["tar", "-xf", str(sdist), "-C", str(work / "unpacked")], check=True)
    (unpacked,) = (work / "unpacked").iterdir()
    return Built(tree, build("wheel", tree, work / "from-tree"), build("wheel", unpacked, work / "from-sdist"))


def files_of_packages(tree: Path) -> dict[str, bytes]:
    """Returns the content of every file of a tree's package by its path, following links."""
    found: dict[str, bytes] = {}
    for folder, _, names in os.walk(tree / "glimpse", followlinks=True):
        path = Path(folder)
        if path.name != "__pycache__":
            assert "__init__.py" in names, f"{path} is no package: a wheel leaves it out"
            found |= {(path / name).relative_to(tree).as_posix(): (path / name).read_bytes() for name in names}
    return found


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize(("link", "target"), [("datasets", "../datasets"), ("cli.py", "../cli.py")])
def test_the_two_files_at_the_top_are_reached_through_links(link: str, target: str) -> None:
    path = ROOT / "glimpse" / link
    assert path.is_symlink()
    assert path.readlink() == Path(target)


def test_the_wheel_contains_the_package_and_nothing_else(built: Built) -> None:
    tops = {name.partition("/")[0] for name in contents(built.wheel)}
    assert tops == {"glimpse", f"glimpse_attention-{glimpse.__version__}.dist-info"}


def test_the_wheel_contains_every_file_of_the_package_unchanged(built: Built) -> None:
    in_wheel = {name: data for name, data in contents(built.wheel).items() if name.startswith("glimpse/")}
    in_tree = files_of_packages(built.tree)
    assert in_wheel.keys() == in_tree.keys()
    assert in_wheel == in_tree
    assert {"glimpse/cli.py", "glimpse/datasets/clutter.py", "glimpse/py.typed"} <= in_wheel.keys()


def test_the_wheel_from_the_sdist_is_the_one_from_the_tree(built: Built) -> None:
    assert contents(built.wheel_of_sdist) == contents(built.wheel)


def test_imports_only_point_down() -> None:
    """The contracts are in pyproject.toml: a layer for every package, and the importers of torch and rich."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache", "--no-logo"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_bare_name_datasets_is_refused() -> None:
    code = "import datasets"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ImportError: import it as glimpse.datasets" in done.stderr


def test_importing_the_package_loads_neither_torch_nor_numpy() -> None:
    assert not {"torch", "numpy", "click"} & loaded_by("import glimpse")


@pytest.mark.parametrize("name", glimpse.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(glimpse, name).__name__.removeprefix("glimpse.") == name
    assert name in dir(glimpse)


def test_a_missing_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = glimpse.nothing


def test_a_pretrained_model_is_found_by_name_or_refused_with_the_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from glimpse import pretrained

    monkeypatch.setattr(pretrained, "_FOLDER", tmp_path)
    (tmp_path / "classifier-8.safetensors").touch()
    (tmp_path / "classifier-8.json").write_text('{"glimpses": 8}', encoding="utf-8")
    assert pretrained.available() == {"classifier-8": {"glimpses": 8}}
    assert pretrained.find("pretrained:classifier-8") == pretrained.find("classifier-8") == tmp_path / "classifier-8.safetensors"
    with pytest.raises(ValueError, match="'classifier-9': choose classifier-8"):
        pretrained.find("pretrained:classifier-9")


def readme_code() -> list[str]:
    """Returns the blocks of Python in the README."""
    return re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_first_code_in_the_readme_runs() -> None:
    scope: dict[str, Any] = {"print": lambda *values: None}
    exec(readme_code()[0], scope)
    assert scope["canvas"].shape == scope["images"].shape


def test_the_training_in_the_readme_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    small = "images=256, window=4, hidden=8, features=8, digits='sklearn', canvas=40, pieces=2, threads=1"
    said: list[str] = []
    code = readme_code()[1]
    assert "images=200_000" in code
    exec(code.replace("images=200_000", small), {"print": lambda *words: said.append(" ".join(map(str, words)))})
    assert said[0].startswith("256 images, loss ")
    assert 0 < float(said[-1].partition(" ")[0]) <= 100
    assert (tmp_path / "runs" / "mine" / "model.safetensors").is_file()
    assert (tmp_path / "glimpses.html").stat().st_size > 1000


def test_the_data_set_in_the_readme_is_loaded() -> None:
    scope: dict[str, Any] = {}
    exec(readme_code()[2], scope)
    shapes = [tuple(scope[name].shape) for name in ("images", "labels", "centers")]
    assert ", ".join(map(str, shapes)) == readme_code()[2].splitlines()[-1].partition("# ")[2]


def test_the_readme_names_only_commands_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(
        re.findall(r"glimpse ([a-z]+(?:-[a-z]+)*)", "\n".join(re.findall(r"```bash\n.*?```|`[^`\n]+`", text, flags=re.DOTALL)))
    )
    assert named
    assert named <= cli.glimpse.commands.keys()

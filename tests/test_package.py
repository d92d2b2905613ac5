"""The package: its two links, what the wheel holds, which way imports point, and what is loaded when."""

import ast
import re
import shutil
import subprocess
import sys
import zipfile
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

import glimpse
from glimpse import cli

ROOT = Path(__file__).parent.parent
LAYERS = [
    {"atomic", "config", "console", "datasets", "environment", "filterbank", "metrics", "presets", "pretrained", "published"},
    {"attention", "chance", "events", "latent", "likelihood", "placing", "recurrent", "retina", "suites", "time_limit", "weights"},
    {"classifier", "convolutional", "generator", "spatial_transformer"},
    {"drawing", "generation", "ram", "training"},
    {"figures", "models"},
    {"classification"},
    {"prediction", "sampling", "trajectories"},
    {"generation_figures", "options", "run", "session"},
    {"classifier_training", "generator_training", "task_images"},
    {"comparison", "generator_evaluation"},
    {"evaluation_command", "generation_command", "training_command", "trajectories_command"},
    {"suite_training"},
    {"compare_command"},
    {"cli"},
    {"__main__"},
]
"""Modules of the package from the ground up: each imports from its own layer and those before it, never in a circle."""


def loaded_by(statement: str) -> set[str]:
    """Returns the top-level modules that a fresh interpreter has loaded after a statement."""
    code = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def imports_of(path: Path) -> set[str]:
    """Returns the absolute names of all modules that a file imports, at its top or inside its functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def parts_of_glimpse(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports_of(path) if name.startswith("glimpse.")}


def build(kind: str, source: Path, out: Path) -> Path:
    """Builds an sdist or a wheel without a network, and returns the file."""
    command = [sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Returns the wheel built from a copy of the tree, and the one built from the sdist."""
    work = tmp_path_factory.mktemp("build")
    tree = work / "tree"
    tree.mkdir()
    for name in ("glimpse", "datasets"):
        shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("cli.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tree / name)
    sdist = build("sdist", tree, work / "sdist")
    (work / "unpacked").mkdir()
    subprocess.run(["tar", "-xf", str(sdist), "-C", str(work / "unpacked")], check=True)
    (unpacked,) = (work / "unpacked").iterdir()
    return {"tree": build("wheel", tree, work / "from-tree"), "sdist": build("wheel", unpacked, work / "from-sdist")}


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize(("link", "target"), [("datasets", "../datasets"), ("cli.py", "../cli.py")])
def test_the_two_files_at_the_top_are_reached_through_links(link: str, target: str) -> None:
    path = ROOT / "glimpse" / link
    assert path.is_symlink()
    assert path.readlink() == Path(target)


def test_the_wheel_holds_the_package_and_nothing_else(built: dict[str, Path]) -> None:
    tops = {name.partition("/")[0] for name in contents(built["tree"])}
    assert tops == {"glimpse", f"glimpse_attention-{glimpse.__version__}.dist-info"}


def test_the_wheel_holds_every_file_of_the_package_as_it_is(built: dict[str, Path]) -> None:
    in_tree = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for folder in ("glimpse", "glimpse/comparison", "glimpse/datasets", "glimpse/pretrained", "glimpse/trajectories")
        for path in (ROOT / folder).iterdir()
        if path.is_file()
    }
    in_wheel = {name: data for name, data in contents(built["tree"]).items() if name.startswith("glimpse/")}
    assert in_wheel == in_tree
    assert {"glimpse/cli.py", "glimpse/datasets/clutter.py", "glimpse/py.typed"} <= in_wheel.keys()


def test_the_wheel_from_the_sdist_is_the_one_from_the_tree(built: dict[str, Path]) -> None:
    assert contents(built["sdist"]) == contents(built["tree"])


def test_every_module_has_its_layer() -> None:
    modules = {path.stem for path in (ROOT / "glimpse").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert modules - {"__init__"} <= set().union(*LAYERS)


def test_imports_only_point_down() -> None:
    height = {name: level for level, names in enumerate(LAYERS) for name in names}
    graph = {}
    for name, level in height.items():
        folder = ROOT / "glimpse" / name
        paths = folder.glob("*.py") if folder.is_dir() else [folder.with_suffix(".py")]
        graph[name] = set().union(*(parts_of_glimpse(path) for path in paths if path.exists())) & height.keys() - {name}
        assert not {imported for imported in graph[name] if height[imported] > level}, f"{name} imports what stands above it"
    TopologicalSorter(graph).prepare()  # raises CycleError for a circle


def test_the_bare_name_datasets_is_refused() -> None:
    code = "import datasets"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ImportError: import it as glimpse.datasets" in done.stderr


def test_importing_the_package_loads_neither_torch_nor_numpy() -> None:
    assert not {"torch", "numpy", "click"} & loaded_by("import glimpse")


@pytest.mark.parametrize("name", glimpse.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(glimpse, name).__name__.removeprefix("glimpse.") == name
    assert name in dir(glimpse)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = glimpse.nothing


def test_a_pretrained_model_is_found_by_name_or_refused_with_the_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from glimpse import pretrained

    monkeypatch.setattr(pretrained, "_FOLDER", tmp_path)
    (tmp_path / "classifier-8.safetensors").touch()
    (tmp_path / "classifier-8.json").write_text('{"glimpses": 8}', encoding="utf-8")
    assert pretrained.available() == {"classifier-8": {"glimpses": 8}}
    assert pretrained.find("pretrained:classifier-8") == pretrained.find("classifier-8") == tmp_path / "classifier-8.safetensors"
    with pytest.raises(ValueError, match="'classifier-9'; there are: classifier-8"):
        pretrained.find("pretrained:classifier-9")


def test_the_code_in_the_readme_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    scope: dict[str, Any] = {"print": lambda *values: None}
    exec(code, scope)
    assert scope["canvas"].shape == scope["images"].shape


def test_the_readme_names_only_commands_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(
        re.findall(r"glimpse ([a-z]+(?:-[a-z]+)*)", "\n".join(re.findall(r"```bash\n.*?```|`[^`\n]+`", text, flags=re.DOTALL)))
    )
    assert named
    assert named <= cli.glimpse.commands.keys()

"""Built sets: they have exactly the generator's images after any interruption, and verification finds every damage."""

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from glimpse import cli
from glimpse.datasets import build as build_module
from glimpse.datasets.array_files import ArrayFile
from glimpse.datasets.batches import EVALUATION_SEED
from glimpse.datasets.build import Progress, Verdict, build, source_at_hand, verify
from glimpse.datasets.built_set import read_set
from glimpse.datasets.clutter import ClutteredMNIST
from glimpse.datasets.digits import DigitSource, open_digits
from glimpse.datasets.labeled_images import open_data
from glimpse.settings.clutter import ClutterRecipe

NAMES = ("images.npy", "labels.npy", "centers.npy", "manifest.json")
RECIPE = ClutterRecipe(canvas=40, pieces=3, piece_size=6, border=2)


@pytest.fixture(scope="module")
def source() -> DigitSource:
    return open_digits("sklearn")


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "CHUNK_BYTES", 100 * 40 * 40)


def begin(out: Path, source: DigitSource, **changes: Any) -> Iterator[Progress]:
    options: dict[str, Any] = {"split": "train", "count": 350, "seed": 11, "recipe": RECIPE}
    return build(out, source, **options | changes)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_set_contains_the_generators_images(tmp_path: Path, source: DigitSource) -> None:
    steps = list(begin(tmp_path / "set", source))
    assert steps == [(0, 350), (100, 350), (200, 350), (300, 350), (350, 350)]
    assert {file.name for file in (tmp_path / "set").iterdir()} == set(NAMES)
    images, labels, centers = ClutteredMNIST(source.train, "train", RECIPE, seed=11).render(torch.arange(350))
    built = read_set(tmp_path / "set")
    for array, expected in ((built.images, images), (built.labels, labels), (built.centers, centers)):
        assert array.dtype == expected.numpy().dtype
        assert np.array_equal(array, expected)
    assert isinstance(built.images, ArrayFile)
    for name in NAMES[:3]:  # only numpy is needed
        assert hashlib.sha256((tmp_path / "set" / name).read_bytes()).hexdigest() == built.manifest["sha256"][name]
        assert len(np.load(tmp_path / "set" / name, mmap_mode="r", allow_pickle=False)) == 350
    assert built.manifest["recipe"] == asdict(RECIPE)
    assert (built.manifest["seed"], built.manifest["split"], built.manifest["count"]) == (11, "train", 350)
    assert built.manifest["source"]["sha256"] == source.sha256


def test_centers_are_those_of_the_digits_frame(tmp_path: Path, source: DigitSource) -> None:
    list(begin(tmp_path / "set", source, recipe=ClutterRecipe(canvas=40, pieces=0)))
    images, _, centers, _ = read_set(tmp_path / "set")
    glyphs = {glyph.tobytes() for glyph in source.train.images.numpy()}
    for image, (x, y) in zip(images[:50], centers[:50], strict=True):
        left, top = int(x - 13.5), int(y - 13.5)
        assert image[top : top + 28, left : left + 28].tobytes() in glyphs


def test_more_images_than_digits_are_further_permutations(tmp_path: Path, source: DigitSource) -> None:
    list(begin(tmp_path / "set", source, split="test", count=650, seed=None))
    built = read_set(tmp_path / "set")
    assert built.manifest["seed"] == EVALUATION_SEED
    counts = np.bincount(source.test.labels)
    assert np.array_equal(np.bincount(built.labels[:300]), counts)
    assert np.array_equal(np.bincount(built.labels[300:600]), counts)
    assert not np.array_equal(built.labels[:300], built.labels[300:600])


@pytest.mark.parametrize("chunks", [0, 1, 2, 3])
def test_an_interrupted_build_continues_to_the_same_bytes(tmp_path: Path, source: DigitSource, chunks: int) -> None:
    list(begin(tmp_path / "whole", source))
    steps = begin(tmp_path / "set", source)
    for _ in range(chunks + 1):
        next(steps)
    steps.close()  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="its build did not finish: run it again"):
        read_set(tmp_path / "set")
    with (tmp_path / "set" / "images.npy").open("ab") as file:  # a partly written chunk
        file.write(b"x" * 1_000_000)
    assert next(begin(tmp_path / "set", source)) == (100 * chunks, 350)
    list(begin(tmp_path / "set", source))
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")


def test_a_build_killed_before_its_plan_or_before_its_end_continues(tmp_path: Path, source: DigitSource) -> None:
    list(begin(tmp_path / "whole", source))
    (tmp_path / "early").mkdir()
    (tmp_path / "early" / ".building.json.999999999.tmp").write_text("{")
    list(begin(tmp_path / "early", source))
    assert contents(tmp_path / "early") == contents(tmp_path / "whole")
    late = tmp_path / "late"
    list(begin(late, source))
    plan = {key: value for key, value in read_set(late).manifest.items() if "sha256" not in key}
    (late / "building.json").write_text(json.dumps({"plan": plan, "done": 350}))
    list(begin(late, source))
    assert contents(late) == contents(tmp_path / "whole")
    (late / "building.json").write_text(json.dumps({"plan": plan, "done": 350}))
    (late / "manifest.json").unlink()
    list(begin(late, source))
    assert contents(late) == contents(tmp_path / "whole")


def test_a_finished_set_is_not_changed(tmp_path: Path, source: DigitSource) -> None:
    list(begin(tmp_path / "set", source))
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "set").iterdir()}
    assert list(begin(tmp_path / "set", source)) == [(350, 350)]
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "set").iterdir()} == before


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 12}, "seed 11, not 12"),
        ({"count": 351}, "count 350, not 351"),
        ({"split": "valid"}, "split train, not valid"),
        ({"recipe": ClutterRecipe(canvas=40, pieces=4, piece_size=6, border=2)}, "pieces 3, not 4"),
    ],
)
def test_other_options_are_refused(
    tmp_path: Path, source: DigitSource, finished: bool, changes: dict[str, Any], message: str
) -> None:
    steps = begin(tmp_path / "set", source)
    list(steps) if finished else (next(steps), next(steps))
    with pytest.raises(ValueError, match=message):
        begin(tmp_path / "set", source, **changes)


def test_other_digits_are_refused(tmp_path: Path, source: DigitSource) -> None:
    list(begin(tmp_path / "set", source))
    np.savez(tmp_path / "own.npz", images=source.train.images, labels=source.train.labels)
    with pytest.raises(ValueError, match="source name sklearn, not file"):
        begin(tmp_path / "set", open_digits(str(tmp_path / "own.npz")))


def test_a_folder_with_something_else_is_refused(tmp_path: Path, source: DigitSource) -> None:
    (tmp_path / "thesis.txt").write_text("important")
    with pytest.raises(ValueError, match="is not empty and holds no build to resume"):
        begin(tmp_path, source)
    with pytest.raises(ValueError, match="is a file"):
        begin(tmp_path / "thesis.txt", source)
    with pytest.raises(ValueError, match="count must be at least 1, got 0"):
        begin(tmp_path / "new", source, count=0)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_split_of_another_name_is_refused_at_once(source: DigitSource) -> None:
    with pytest.raises(ValueError, match="split must be one of train, valid, test, got 'foo'"):
        ClutteredMNIST(source.train, "foo", seed=1)  # type: ignore[arg-type]


def test_a_build_without_an_image_accepts_other_options(tmp_path: Path, source: DigitSource) -> None:
    steps = begin(tmp_path / "set", source, seed=3, recipe=ClutterRecipe(canvas=50))
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    (tmp_path / "set" / "images.npy").write_bytes(b"a header")
    list(begin(tmp_path / "set", source))
    list(begin(tmp_path / "whole", source))
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")


def test_a_damaged_plan_is_refused(tmp_path: Path, source: DigitSource) -> None:
    begin(tmp_path / "set", source)
    plan = json.loads((tmp_path / "set" / "building.json").read_text())
    for done in (None, "1", -1, 351):
        (tmp_path / "set" / "building.json").write_text(json.dumps(plan | {"done": done}))
        with pytest.raises(ValueError, match=r"building\.json is damaged"):
            begin(tmp_path / "set", source)


def test_a_folder_below_a_file_is_refused(tmp_path: Path, source: DigitSource) -> None:
    (tmp_path / "afile").write_text("")
    for out in (tmp_path / "afile" / "x", tmp_path / "afile" / "x" / "y"):
        with pytest.raises(ValueError, match=r"cannot be made because .*afile is a file"):
            begin(out, source)


def test_a_set_that_the_disk_cannot_hold_is_refused_before_anything_is_written(
    tmp_path: Path, source: DigitSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 350 * (40 * 40 + 8 + 2 * 4)

    def leave_free(free: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))

    leave_free(size - 1)
    with pytest.raises(ValueError, match=r"set: the set needs 0\.001 GB more, the disk has 0\.001 GB free"):
        begin(tmp_path / "above" / "set", source)
    assert not (tmp_path / "above").exists()
    leave_free(size + 100_000)
    steps = begin(tmp_path / "set", source)
    assert [next(steps).done for _ in range(4)] == [0, 100, 200, 300]
    steps.close()  # type: ignore[attr-defined]
    leave_free(size // 2)  # enough for what is missing
    list(begin(tmp_path / "set", source))


@pytest.mark.parametrize("name", [*NAMES[:3], "building.json", "manifest.json"])
def test_the_error_of_a_full_disk_names_the_file(
    tmp_path: Path, source: DigitSource, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def fsync(descriptor: int) -> None:
        synced = os.fstat(descriptor)
        if any(os.path.samestat(synced, path.stat()) for path in (out / name, *out.glob(f".{name}.*.tmp")) if path.exists()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    out = tmp_path / "set"
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fsync)
        with pytest.raises(OSError, match="No space left on device") as caught:
            list(begin(out, source))
    assert caught.value.filename == str(out / name)
    assert not list(out.glob(".*.tmp"))
    list(begin(out, source))
    assert verify(out, source) == Verdict(350, 350)


def test_the_error_of_a_failed_write_names_the_file(tmp_path: Path) -> None:
    program = (
        "import resource, signal, sys; from pathlib import Path; from glimpse.datasets.build import build;"
        "from glimpse.datasets.digits import open_digits; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000)); list(build(Path(sys.argv[1]), open_digits('sklearn')))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "set")], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].endswith(f"File too large: '{tmp_path / 'set' / 'images.npy'}'")


def test_a_truncated_build_is_not_continued(tmp_path: Path, source: DigitSource) -> None:
    steps = begin(tmp_path / "set", source)
    next(steps), next(steps)
    steps.close()  # type: ignore[attr-defined]
    os.truncate(tmp_path / "set" / "labels.npy", 200)
    with pytest.raises(ValueError, match=r"labels\.npy is shorter than the build wrote it"):
        list(begin(tmp_path / "set", source))


def test_verification_finds_a_set_in_order(tmp_path: Path, source: DigitSource) -> None:
    list(begin(tmp_path / "set", source))
    assert verify(tmp_path / "set") == Verdict(350, 0)
    assert verify(tmp_path / "set", source_at_hand(tmp_path / "set")) == Verdict(350, 350)


@pytest.mark.parametrize("name", NAMES[:3])
def test_verification_finds_a_changed_byte(tmp_path: Path, source: DigitSource, name: str) -> None:
    list(begin(tmp_path / "set", source))
    content = bytearray((tmp_path / "set" / name).read_bytes())
    content[-8] ^= 1
    (tmp_path / "set" / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} was changed or damaged"):
        verify(tmp_path / "set")


def test_verification_finds_arrays_of_another_form(tmp_path: Path, source: DigitSource) -> None:
    list(begin(tmp_path / "set", source))
    np.save(tmp_path / "set" / "labels.npy", np.zeros(349, dtype=np.int64))
    with pytest.raises(ValueError, match=r"labels\.npy holds int64 \(349,\), expected int64 \(350,\), as in the manifest"):
        verify(tmp_path / "set")
    (tmp_path / "set" / "labels.npy").unlink()
    with pytest.raises(ValueError, match=r"labels\.npy cannot be read"):
        verify(tmp_path / "set")


@pytest.mark.parametrize(("key", "value"), [("seed", 12), ("split", "valid"), ("recipe", asdict(RECIPE) | {"border": 1})])
def test_verification_finds_a_recipe_that_renders_something_else(
    tmp_path: Path, source: DigitSource, key: str, value: object
) -> None:
    list(begin(tmp_path / "set", source))
    manifest = json.loads((tmp_path / "set" / "manifest.json").read_text())
    del manifest["manifest_sha256"]
    (tmp_path / "set" / "manifest.json").write_text(json.dumps(manifest | {key: value}))
    assert verify(tmp_path / "set") == Verdict(350, 0)
    with pytest.raises(ValueError, match=r"images among 0 to .* are not what the recipe renders"):
        verify(tmp_path / "set", source)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        (None, "count"),
        ({"count": "350"}, "count"),
        ({"count": True}, "count"),
        ({"split": ["train"]}, "split"),
        ({"seed": 2**64}, "seed"),
        ({"frame": 28}, "frame"),
        ({"recipe": {"canvas": 40}}, "recipe"),
        ({"recipe": asdict(RECIPE) | {"pieces": -1}}, "recipe"),
        ({"source": "sklearn"}, "source"),
        ({"sha256": {}}, "sha256"),
        ({"sha256": {"../elsewhere": ""}}, "sha256"),
        ({"9" * 5000: 1}, r"9{57}\.\.\."),
    ],
)
def test_a_manifest_with_other_fields_is_refused(
    tmp_path: Path, source: DigitSource, changes: dict[str, Any] | None, field: str
) -> None:
    list(begin(tmp_path / "set", source))
    manifest = json.loads((tmp_path / "set" / "manifest.json").read_text())
    kept = {"format": manifest["format"]} if changes is None else manifest | changes
    (tmp_path / "set" / "manifest.json").write_text(json.dumps(kept))
    with pytest.raises(ValueError, match=rf"manifest\.json is damaged: {field} is missing or not what"):
        read_set(tmp_path / "set")
    with pytest.raises(ValueError, match="holds a set with other options"):
        begin(tmp_path / "set", source, seed=99)


def test_named_digits_must_be_those_of_the_set(tmp_path: Path, source: DigitSource) -> None:
    own = tmp_path / "own.npz"
    np.savez(own, images=source.train.images, labels=source.train.labels)
    list(begin(tmp_path / "set", open_digits(str(own)), count=20))
    assert source_at_hand(tmp_path / "set") is None
    assert verify(tmp_path / "set", source_at_hand(tmp_path / "set", str(own))) == Verdict(20, 20)
    for other in ("sklearn", str(tmp_path / "wrong.npz")):
        np.savez(tmp_path / "wrong.npz", images=source.train.images, labels=source.train.labels.flip(0))
        with pytest.raises(ValueError, match=r"set was not built from .*: the SHA-256 in its manifest"):
            source_at_hand(tmp_path / "set", other)
    with pytest.raises(FileNotFoundError, match=r"no file .*nope\.npz"):
        source_at_hand(tmp_path / "set", str(tmp_path / "nope.npz"))
    result = CliRunner().invoke(cli.glimpse, ["dataset", "verify", str(tmp_path / "set"), "--digits", "nope.npz"])
    assert result.exit_code != 0
    assert "is in order" not in result.output


def test_a_built_set_is_opened_as_data(tmp_path: Path, source: DigitSource) -> None:
    list(begin(tmp_path / "set", source))
    data = open_data(tmp_path / "set")
    assert (data.is_whole, data.shape, data.n_classes, data.frame) == (True, (1, 40, 40), 10, (28, 28))
    assert data.train is not None
    assert data.valid is not None
    assert data.test is not None
    assert [len(part) for part in (data.train, data.valid, data.test)] == [284, 33, 33]
    assert isinstance(data.valid.images, ArrayFile)
    generated = ClutteredMNIST(source.train, "train", RECIPE, seed=11).batch(torch.arange(350))
    for opened, expected in zip(data.evaluation[1].batch(torch.arange(350)), generated, strict=True):
        assert torch.equal(opened, expected)


@pytest.mark.slow
def test_a_build_killed_at_any_moment_continues_to_the_same_bytes(tmp_path: Path, source: DigitSource) -> None:
    count = 20_000
    command = [sys.executable, "-m", "glimpse", "dataset", "build", str(tmp_path / "set"), "--digits", "sklearn", "--threads", "1"]
    for _ in range(2):
        process = subprocess.Popen(
            [*command, "--count", str(count)], cwd=Path(__file__).parent.parent.parent, stderr=subprocess.DEVNULL
        )
        done = (tmp_path / "set" / "building.json").exists() and json.loads((tmp_path / "set" / "building.json").read_text())[
            "done"
        ]
        while process.poll() is None:
            time.sleep(0.05)
            if (tmp_path / "set" / "building.json").exists():
                now = json.loads((tmp_path / "set" / "building.json").read_text())["done"]
                if now > done:
                    process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    subprocess.run(
        [*command, "--count", str(count)], cwd=Path(__file__).parent.parent.parent, check=True, stderr=subprocess.DEVNULL
    )
    list(build(tmp_path / "whole", source, count=count))
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")

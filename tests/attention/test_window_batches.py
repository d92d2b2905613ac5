"""Windows and tracks of several steps, batches, devices and graphs, against plain loops over their numbers."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from glimpse.attention.track import Track
from glimpse.attention.window import Window
from tests.helpers.tensors import normal

FIELDS = 5


def window(*shape: int, seed: int = 0) -> Window:
    """Returns a window of seeded numbers that differ in every field."""
    return Window(*normal(FIELDS, *shape, seed=seed))


def track(batch: int, seed: int = 0, patches: bool = True) -> Track:
    """Returns a track of three steps with patches of 2 x 2 pixels and canvases of 4 x 5 in one channel."""
    kept = (normal(batch, 3, 1, 2, 2, seed=seed), normal(batch, 3, 1, 4, 5, seed=seed)) if patches else ()
    return Track("read", 1, 2, window(batch, 3, seed=seed), *kept)


def same(ours: Window, theirs: Window) -> bool:
    return all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_a_step_of_stacked_windows_is_the_window_of_that_step() -> None:
    steps = [window(4, seed=t) for t in range(3)]
    stacked = Window.stacked(steps)
    assert stacked.sigma.shape == (4, 3)
    for t, each in enumerate(steps):
        assert same(stacked.at(t), each)
        for name, values in each._asdict().items():
            assert [float(getattr(stacked, name)[i, t]) for i in range(4)] == values.tolist()


@pytest.mark.parametrize("steps", [(), (3,)])
def test_rows_of_joined_windows_are_the_parts(steps: tuple[int, ...]) -> None:
    first, second = window(2, *steps, seed=1), window(5, *steps, seed=2)
    joined = Window.joined([first, second])
    assert joined.stride.shape == (7, *steps)
    assert same(joined.rows(slice(2)), first)
    assert same(joined.rows(slice(2, None)), second)


@pytest.mark.parametrize(
    "chosen", [torch.tensor([3, 0, 3]), torch.tensor([True, False, False, True]), slice(1, 3)], ids=["indices", "mask", "slice"]
)
def test_rows_are_those_of_a_plain_loop(chosen: Tensor | slice) -> None:
    kept = [3, 0, 3] if isinstance(chosen, Tensor) and chosen.dtype == torch.int64 else [0, 3]
    kept = [1, 2] if isinstance(chosen, slice) else kept
    whole = track(4)
    part = whole.rows(chosen)
    for ours, theirs in zip(part.window, whole.window, strict=True):
        assert ours.tolist() == [theirs[i].tolist() for i in kept]
    for found, given in ((part.patches, whole.patches), (part.canvases, whole.canvases)):
        assert found is not None
        assert given is not None
        assert found.tolist() == [given[i].tolist() for i in kept]
    assert part[:3] == whole[:3]
    assert track(4, patches=False).rows(chosen)[4:] == (None, None)


def test_windows_on_the_cpu_are_float32() -> None:
    double, half = window(4), Window(*(field.bfloat16() for field in window(4)))
    for each in (double, half):
        found = each.cpu()
        assert {(field.dtype, field.device.type) for field in found} == {(torch.float32, "cpu")}
        torch.testing.assert_close(tuple(found), tuple(each), check_dtype=False, rtol=1e-6, atol=1e-6)
    seen = track(4).cpu()
    assert seen.patches is not None
    assert seen.canvases is not None
    assert {field.dtype for field in (*seen.window, seen.patches, seen.canvases)} == {torch.float32}
    assert track(4, patches=False).cpu()[4:] == (None, None)


@pytest.mark.gpu
def test_windows_on_a_gpu_are_moved_to_the_cpu() -> None:
    there = track(4)._replace(window=Window(*(field.cuda() for field in window(4, 3))), patches=normal(4, 3, 1, 2, 2).cuda())
    here = there.cpu()
    assert here.patches is not None
    assert {field.device.type for field in (*here.window, here.patches)} == {"cpu"}


def test_no_gradient_flows_through_a_detached_window() -> None:
    raw = normal(4, 5).requires_grad_()
    free = Window.from_raw(raw, n=3, height=9, width=9)
    bound = free.detached()
    assert all(field.requires_grad for field in free)
    assert not any(field.requires_grad for field in bound)
    assert same(bound, free)


def test_joined_tracks_hold_the_images_in_their_order() -> None:
    parts = [track(2, seed=1), track(5, seed=2)]
    joined = Track.joined(parts)
    assert joined[:3] == ("read", 1, 2)
    for rows, part in ((slice(2), parts[0]), (slice(2, None), parts[1])):
        found = joined.rows(rows)
        assert same(found.window, part.window)
        for ours, theirs in ((found.patches, part.patches), (found.canvases, part.canvases)):
            assert ours is not None
            assert theirs is not None
            assert torch.equal(ours, theirs)


def test_joined_tracks_have_patches_and_canvases_only_if_every_part_has() -> None:
    assert Track.joined([track(2, patches=False), track(3, patches=False)])[4:] == (None, None)
    assert Track.joined([track(2), track(3, patches=False)])[4:] == (None, None)
    one = Track.joined([track(2), track(3)._replace(canvases=None)])
    assert one.patches is not None
    assert one.canvases is None


@pytest.mark.parametrize(
    "change",
    [lambda w: Window.stacked([w.at(1), w.at(0)]), lambda w: w.rows(slice(1, 3)).detached(), lambda w: Window.joined([w, w])],
    ids=["stacked", "detached", "joined"],
)
def test_windows_compile_without_graph_breaks(change: Callable[[Window], Window]) -> None:
    compiled = torch.compile(change, fullgraph=True, backend="eager")
    assert same(compiled(window(4, 3)), change(window(4, 3)))

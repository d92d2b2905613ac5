"""CIFAR-10: 60,000 photographs of ten classes, 32 x 32 pixels in color.

If the set is neither found nor can be downloaded, a part of it in `cifar10_subset/cifar10_subset.npz` is used.

References:
    A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", technical report, 2009.
"""

from pathlib import Path

import torch

from glimpse.datasets.catalog import Request
from glimpse.datasets.fetch import Remote
from glimpse.datasets.pixel_sets import Images, Opened
from glimpse.datasets.torchvision_files import TorchvisionFiles, channels_first, open_torchvision_files

__all__ = ["open_cifar10"]


def open_cifar10(request: Request) -> Opened:
    """Returns the set; see `open_torchvision_files`."""
    from torchvision.datasets import CIFAR10

    files = [file for file, _ in (*CIFAR10.train_list, *CIFAR10.test_list)] + [CIFAR10.meta["filename"]]
    stored = TorchvisionFiles(
        files=[f"{CIFAR10.base_folder}/{file}" for file in files],
        remote=[Remote(CIFAR10.filename, CIFAR10.tgz_md5, [CIFAR10.url])],
        read=_read,
        part="cifar10_subset/cifar10_subset.npz",
    )
    return open_torchvision_files(request, stored)


def _read(root: Path, train: bool) -> Images:
    from torchvision.datasets import CIFAR10

    opened = CIFAR10(root, train=train)
    return Images(channels_first(opened.data), torch.tensor(opened.targets))

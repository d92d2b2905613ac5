"""CIFAR-10: 60,000 small photographs of ten classes, 32 x 32 pixels in color.

Where the set is neither found nor can be downloaded, `cifar10_subset/cifar10_subset.npz` serves, a part of it.

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
    """Returns the set with the last tenth of its training part held out for validation.

    Raises:
        NotAtHand: If there is neither the set nor a part of it.
        ValueError: If files are damaged.
    """
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

"""SVHN's single digits, cut out of house numbers: 32 x 32 pixels in color, with parts of the neighboring digits.

If the set is neither found nor can be downloaded, `svhn_subset/svhn_train_first1083_images.npy` is used, a part of the training
images without their classes.

References:
    Y. Netzer, T. Wang, A. Coates, A. Bissacco, B. Wu, A. Y. Ng, "Reading Digits in Natural Images with Unsupervised Feature
    Learning", NIPS workshop, 2011.
"""

from pathlib import Path

import numpy as np
import torch

from glimpse.datasets.catalog import Request
from glimpse.datasets.fetch import Remote
from glimpse.datasets.pixel_sets import Images, Opened
from glimpse.datasets.torchvision_files import TorchvisionFiles, open_torchvision_files

__all__ = ["open_svhn_32"]


def open_svhn_32(request: Request) -> Opened:
    """Returns the set; see `open_torchvision_files`."""
    from torchvision.datasets import SVHN

    wanted = [SVHN.split_list[split] for split in ("train", "test")]
    stored = TorchvisionFiles(
        files=[file for _, file, _ in wanted],
        remote=[Remote(file, md5, [url]) for url, file, md5 in wanted],
        read=_read,
        part="svhn_subset/svhn_train_first1083_images.npy",
        roots=("", "SVHN", "svhn"),
    )
    return open_torchvision_files(request, stored)


def _read(root: Path, train: bool) -> Images:
    from torchvision.datasets import SVHN

    opened = SVHN(root, split="train" if train else "test")
    return Images(torch.from_numpy(np.ascontiguousarray(opened.data)), torch.from_numpy(opened.labels))

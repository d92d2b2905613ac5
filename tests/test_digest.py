"""Digests against hashlib on the whole content."""

import hashlib
from pathlib import Path

import numpy as np

from glimpse.digest import md5_of_file, sha256_of_blocks, sha256_of_bytes, sha256_of_file, sha256_of_images

CONTENT = bytes(range(256)) * 5000


def test_a_files_digests_are_those_of_its_content(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    assert sha256_of_file(tmp_path / "file") == sha256_of_bytes(CONTENT) == hashlib.sha256(CONTENT).hexdigest()
    assert md5_of_file(tmp_path / "file") == hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


def test_blocks_have_the_digest_of_their_concatenation() -> None:
    blocks = (CONTENT[start : start + 999] for start in range(0, len(CONTENT), 999))
    assert sha256_of_blocks(blocks) == sha256_of_bytes(CONTENT)


def test_a_digest_of_images_covers_shapes_pixels_and_labels_whatever_the_memorys_order() -> None:
    images, labels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4), np.array([1, 0])
    content = b"(2, 3, 4)" + images.tobytes() + (1).to_bytes(8, "little") + (0).to_bytes(8, "little")
    assert sha256_of_images((images, labels)) == hashlib.sha256(content).hexdigest()
    assert sha256_of_images((images, labels), (images, labels)) == hashlib.sha256(content * 2).hexdigest()
    assert sha256_of_images((np.asfortranarray(images), labels.astype(">i4"))) == hashlib.sha256(content).hexdigest()
    assert sha256_of_images((images.reshape(2, 4, 3), labels)) != sha256_of_images((images, labels))
    assert sha256_of_images((images, labels[::-1])) != sha256_of_images((images, labels))

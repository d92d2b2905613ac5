"""The page as a file and as a folder, without a browser: what it holds, and that it fetches nothing from elsewhere."""

import base64
import gzip
import json
import re
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glimpse.playground.page.page import PageContent, check_folder, write_file, write_folder
from glimpse.playground.server import serving


def facts_of(text: str) -> dict[str, Any]:
    (found,) = re.findall(r'<script type="application/json" id="facts">(.*?)</script>', text)
    facts: dict[str, Any] = json.loads(found)
    return facts


def test_a_file_holds_the_bytes_of_every_model_and_of_onnxruntime_web(content: PageContent, tmp_path: Path) -> None:
    out = tmp_path / "try.html"
    assert write_file(content, out) == out.stat().st_size
    text = out.read_text("utf-8")
    facts = facts_of(text)
    held = dict(re.findall(r'<script type="application/octet-stream" id="([\w-]+)">(.*?)</script>', text))
    unpacked = {name: gzip.decompress(base64.b64decode(packed)) for name, packed in held.items()}
    assert unpacked[facts["classifiers"][0]["file"]["id"]] == content.classifiers[0].file.read_bytes()
    assert unpacked[facts["generators"][0]["file"]["id"]] == content.generators[0].file.read_bytes()
    for place, name in zip(facts["runtime"].values(), ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"), strict=True):
        assert unpacked[place["id"]] == (content.runtime / name).read_bytes()
    assert content.digits is not None
    assert base64.b64decode(facts["digits"]["images"]) == content.digits.images.numpy().tobytes()
    assert facts["classifiers"][0]["classes"] == ["<0>", "1"]
    assert "connect-src 'none'" in text


def test_a_folder_holds_the_page_and_every_file_at_the_address_in_the_page(content: PageContent, tmp_path: Path) -> None:
    out = tmp_path / "site"
    size = write_folder(content, out)
    assert size == sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    facts = facts_of((out / "index.html").read_text("utf-8"))
    places = [*facts["runtime"].values(), *(model["file"] for kind in ("classifiers", "generators") for model in facts[kind])]
    assert all((out / place["url"]).is_file() for place in places)
    assert (out / facts["classifiers"][0]["file"]["url"]).read_bytes() == content.classifiers[0].file.read_bytes()
    write_folder(content, out)  # replaces itself


def test_the_page_names_no_other_address(content: PageContent, tmp_path: Path) -> None:
    write_folder(content, tmp_path / "site")
    text = (tmp_path / "site" / "index.html").read_text("utf-8")
    assert set(re.findall(r"https?://[^\s\"'<>]+", text)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1998/Math/MathML"}


@pytest.mark.parametrize(
    ("left", "tabs"),
    [
        ({"generators": ()}, ["Classify", "How a glimpse works"]),
        ({"classifiers": (), "digits": None}, ["Draw"]),
        ({}, ["Classify", "Draw", "How a glimpse works"]),
    ],
)
def test_there_are_tabs_for_the_models_at_hand(content: PageContent, tmp_path: Path, left: dict[str, Any], tabs: list[str]) -> None:
    write_file(replace(content, **left), tmp_path / "try.html")
    text = (tmp_path / "try.html").read_text("utf-8")
    assert re.findall(r'role="tab" [^>]*>([^<]+)<', text) == tabs
    assert len(re.findall(r'<section id="[a-z]+" role="tabpanel"', text)) == len(tabs)


def test_another_page_is_not_overwritten(content: PageContent, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>My page</p>")
    with pytest.raises(ValueError, match=r"index\.html is another page: choose a new folder"):
        check_folder(tmp_path)
    write_folder(content, tmp_path / "site")
    check_folder(tmp_path / "site")
    with pytest.raises(ValueError, match=r"writes a \.html file or a folder"):
        check_folder(tmp_path / "index.html")


def test_the_server_gives_the_files_of_the_folder_to_this_machine_only(content: PageContent, tmp_path: Path) -> None:
    write_folder(content, tmp_path / "site")
    with serving(tmp_path / "site") as address:
        assert address.startswith("http://127.0.0.1:")
        for name, kind in (("", "text/html"), ("onnxruntime/ort-wasm-simd-threaded.wasm", "application/wasm")):
            with urllib.request.urlopen(address + name) as answer:
                assert answer.headers.get_content_type() == kind
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(address + "../classifier.onnx")
        port = int(address.rsplit(":", 1)[1].strip("/"))
        with pytest.raises(OSError, match=f"port {port} cannot be used"), serving(tmp_path, port):
            pass

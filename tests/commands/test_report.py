"""`glimpse report`: one file with every section, for each kind of model, and what is refused."""

import base64
import io
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from glimpse.reporting.calls import report
from tests.helpers import classifier_runs
from tests.helpers.classifier_runs import DATA, OTHERS
from tests.helpers.commands import invoked, printed_json, refused, succeeded
from tests.helpers.generator_runs import FEW


class Reader(HTMLParser):
    """Collects headings, addresses of pictures and links, and the texts of pictures."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.pictures: list[tuple[str, str]] = []
        self.links: list[str] = []
        self.anchors: list[str] = []
        self._in_heading = False
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self._in_heading = tag == "h2"
        if tag == "img":
            self.pictures.append((str(found["src"]), str(found["alt"])))
        if tag == "a":
            self.links.append(str(found["href"]))
        if found.get("id"):
            self.anchors.append(str(found["id"]))

    def handle_data(self, data: str) -> None:
        if self._in_heading:
            self.headings.append(data)
            self._in_heading = False


def test_the_report_of_a_run_has_every_section_and_opens_alone(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "report.html"
    found = printed_json("report", run, "--out", out, "--threads=1", "--worst=3")
    page = Reader(out)
    assert page.headings == found["sections"]
    assert {"Training", "Error by glimpse", "Confusion", "Reliability", "Where it looks", "Worst images", "Settings"} <= {
        *page.headings
    }
    assert [link.removeprefix("#") for link in page.links] == page.anchors
    assert len(page.pictures) >= 7
    for address, alt in page.pictures:
        kind, content = re.fullmatch(r"data:image/(png|svg\+xml);base64,(.+)", address).groups()  # type: ignore[union-attr]
        data = base64.b64decode(content)
        assert alt
        assert b"<svg" in data if kind != "png" else Image.open(io.BytesIO(data)).size > (100, 100)
    text = out.read_text()
    assert f"{found['evaluation']['error']:.2f} %" in text
    assert not re.search(r"<(script|link(?! rel=.icon)|iframe)|https?://(?!www\.w3\.org)", re.sub(r"base64,[\w+/=]+", "", text))
    assert found["evaluation"] == printed_json("evaluate", run, "--threads=1", "--diagnose") | {
        "images_per_second": found["evaluation"]["images_per_second"]
    }


@pytest.mark.parametrize("model", ["conv", "ram"])
def test_other_classifiers_have_a_report_too(tmp_path: Path, model: str) -> None:
    run = classifier_runs.trained(tmp_path / "run", f"--model={model}", *OTHERS[model], *DATA, *FEW, "--threads=1")
    found = report(run, tmp_path / "report.html", threads=1)
    assert ("Where it looks" in found.sections) == (model == "ram")
    assert "Worst images" in found.sections
    assert found.as_dict()["bytes"] == (tmp_path / "report.html").stat().st_size


def test_the_report_of_a_generator_has_samples_the_bound_by_step_and_reconstructions(generator_run: Path, tmp_path: Path) -> None:
    shown = succeeded("report", generator_run, "--out", tmp_path / "report.html", "--threads=1", "--count=9")
    page = Reader(tmp_path / "report.html")
    assert page.headings[:4] == ["Training", "Bound by step", "Samples", "Reconstructions"]
    assert "9 samples" in [alt for _, alt in page.pictures]
    assert "bound" in shown.stdout


def test_damaged_metrics_are_one_line_and_leave_no_report(run: Path, tmp_path: Path) -> None:
    for name, content in {"columns": b"images,loss\n64,1.0\n", "field": b"images," + b"x" * 200_000}.items():
        other = tmp_path / name
        shutil.copytree(run, other)
        (other / "metrics.csv").write_bytes(content)
        result = invoked("report", other, "--out", other / "report.html", "--threads=1")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.splitlines()[-1].startswith(f"Error: {other / 'metrics.csv'} is not the record of a run")
        assert not (other / "report.html").exists()


def test_what_cannot_be_reported_is_refused_in_one_line(run: Path, tmp_path: Path) -> None:
    assert "--out writes a .html file" in refused("report", run, "--out", tmp_path / "report.pdf")
    assert "no run, weights file or pretrained model" in refused("report", tmp_path / "none", "--out", tmp_path / "a.html")

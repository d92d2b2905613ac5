"""The tutorial runs from its first cell to its last, on a small budget, without a network."""

from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="the extra `docs` is not installed")
nbclient = pytest.importorskip("nbclient", reason="the extra `docs` is not installed")

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(ROOT / "docs" / "tutorial.ipynb", as_version=4)
    (budgets,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    budgets.source = "budget, own_budget = 640, 320"
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert (tmp_path / "glimpses.html").stat().st_size > 100_000
    printed = "".join(output.get("text", "") for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs)
    assert "after each glimpse: [" in printed
    assert "shapes/ring/1.png: " in printed


def test_the_stored_outputs_are_of_the_stored_code() -> None:
    """Every cell of code was run once, in order, and none failed."""
    notebook = nbformat.read(ROOT / "docs" / "tutorial.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert {output.output_type for cell in code for output in cell.outputs} <= {"stream", "display_data", "execute_result"}

"""The example notebook executes, without network and from top to bottom."""

from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / "examples" / "first_backtest.ipynb"


@pytest.mark.slow
@pytest.mark.connects
@pytest.mark.filterwarnings("ignore")
def test_the_notebook_executes(tmp_path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    book = nbformat.read(NOTEBOOK, as_version=4)

    nbclient.NotebookClient(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()

    shown = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("iframe" in output.get("data", {}).get("text/html", "") for output in shown)
    assert any("digest" in str(output.get("data", {}).get("text/plain", "")) for output in shown)

"""The notebook of the documents, executed as a user would."""

import pathlib

import nbclient
import nbformat

NOTEBOOK = pathlib.Path("docs/quickstart.ipynb")


def test_the_notebook_runs_and_shows_music():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    results = [o.data for cell in cells for o in cell.outputs if o.output_type == "execute_result"]
    first, second, piece, picture, files = results
    for music in (first, second, piece):
        assert music["text/html"].startswith("<figure") and "<svg" in music["text/html"]
    assert "Ode to Joy" in piece["text/html"]
    assert picture["image/png"]
    for name in ("ode_to_joy.mid", "reel.mid", "transition.mid", "transition.wav"):
        assert repr(name) in files["text/plain"]
    printed = [o.text for cell in cells for o in cell.outputs if o.get("name") == "stdout"]
    assert printed[0] == "The model knows melodies of 16 bars.\n"
    assert printed[1].count("score 0.") == 3

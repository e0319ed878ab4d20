"""Figures without pyplot: nothing is registered, and no backend is chosen.

`matplotlib.figure.Figure` draws into files by itself. Only pyplot keeps global state.
"""

import io
import os

from matplotlib.figure import Figure

from musicvae_jax.system import files


class Picture(Figure):
    """A matplotlib figure that shows itself in a notebook.

    IPython shows a plain `Figure` as an image only after pyplot has been imported.
    """

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        self.savefig(content, format="png", dpi=self.dpi)
        return content.getvalue()


def save_png(path: str | os.PathLike, figure: Figure) -> None:
    """Writes a figure as a PNG file with its own dots per inch, atomically.

    Raises:
      OSError: the file cannot be written.
    """
    with files.replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=figure.dpi)

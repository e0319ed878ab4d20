"""The folder of the page: what is in it, and what is refused."""

import gzip
import re
import sys

import pytest

pytest.importorskip("onnx", reason="onnx is not installed")

from musicvae_jax import modes, static_page
from musicvae_jax.static_page import export, runtime
from musicvae_jax.system.errors import UserError


def test_the_page_has_every_file_that_it_names():
    content = {name: data.decode() for name, data in export.site_files().items()}
    named = set(re.findall(r'(?:href|src)="([^"#]+)"', content["index.html"]))
    for name, text in content.items():
        if name.endswith(".js"):
            named |= set(re.findall(r'from "\./(.+?)"', text))
    named.remove("NOTICE.txt")  # which is written for the model
    own = {name for name in named if not name.startswith("runtime/")}
    assert own <= set(content)
    assert {name.removeprefix("runtime/") for name in named - own} <= set(runtime._FILES)
    assert set(content) - own == {"engine.js", "index.html"}  # which nothing else loads by name


def test_another_file_than_the_runtime_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "other.tgz"
    with pytest.raises(UserError, match="cannot be read: No such file"):
        runtime.read(str(path))
    path.write_bytes(b"something else")
    with pytest.raises(UserError, match=r"not onnxruntime-web-1\.30\.0\.tgz"):
        runtime.read(str(path))


def test_without_a_network_the_way_out_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(runtime, "_URL", "http://127.0.0.1:9/nothing.tgz")
    with pytest.raises(UserError, match=r"npm pack onnxruntime-web@1\.30\.0"):
        runtime.read()


def test_packing_is_reversed_by_the_page():
    """As `site/model.js` does it."""
    data = bytes(range(255))
    packed = gzip.decompress(export.packed(data))
    half = -(-len(packed) // 2)
    assert bytes(packed[n // 2 + (half if n % 2 else 0)] for n in range(len(packed))) == data


def test_the_extra_that_is_missing_is_named(monkeypatch):
    for name in ("export", "functions", "onnx_graph", "onnx_operators"):
        monkeypatch.delitem(sys.modules, f"musicvae_jax.static_page.{name}", raising=False)
        monkeypatch.delattr(static_page, name, raising=False)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UserError, match=r"needs onnx: pip install 'musicvae-jax\[page\]'"):
        modes.MODES["export_page"].run(None, None)

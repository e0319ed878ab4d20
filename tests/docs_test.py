"""The documents: their links lead somewhere, and what they name exists."""

import ast
import pathlib
import re

import pytest
import yaml
from absl import flags

import musicvae_jax as mv
from musicvae_jax import (
    configs,
    main,  # noqa: F401 - defines the flags
)
from musicvae_jax.configs import default
from tests import imports_test

ROOT = pathlib.Path(__file__).parents[1]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "launch/*.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
)
each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
OTHER_PROGRAMS = ("pip ", "pytest ", "ruff ", "sphinx-build ")
FOLDERS = "musicvae_jax|configs|benchmarks|launch|tests|docs"


def prose(document: pathlib.Path) -> str:
    """The text without code."""
    return SPAN.sub("", FENCE.sub("", document.read_text()))


def code(document: pathlib.Path) -> list[str]:
    """Commands of code blocks, on one line each, and inline code."""
    text = document.read_text()
    blocks = [block.replace("\\\n", " ") for _, block in FENCE.findall(text)]
    return [line for block in blocks for line in block.splitlines()] + SPAN.findall(
        FENCE.sub("", text)
    )


def links(document: pathlib.Path) -> list[str]:
    return ["".join(groups) for groups in LINK.findall(prose(document))]


def anchors(document: pathlib.Path) -> set[str]:
    """The anchors that GitHub gives to the headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def options(document: pathlib.Path) -> list[tuple[str, str, str]]:
    """Each command line option in code: the code, its name, and its value or nothing."""
    option = re.compile(r"(?<![^\s\[(])--([a-z][\w.]*)(?:=(\S+))?")
    return [(line, *match.groups("")) for line in code(document) for match in option.finditer(line)]


def is_field(name: str) -> bool:
    """Whether a dotted name is a field of the configurations."""
    *sections, field = name.split(".")
    config = default.get_config()
    for section in sections:
        config = config.get(section, {})
    return field in config


def scripts_of(line: str, document: pathlib.Path) -> list[pathlib.Path]:
    """The scripts that a line of code may be about: those it names, or all beside the document."""
    named = [ROOT / path for path in re.findall(r"(?:benchmarks|launch)/[\w.]+", line)]
    beside = [*document.parent.glob("*.py"), *document.parent.glob("*.sh")]
    return named or (beside if document.parent != ROOT else [])


def test_the_readme_can_be_read_in_a_few_minutes():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 180


@each_document
def test_links_lead_to_files_and_headings(document):
    dead = []
    for link in links(document):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


@each_document
def test_links_to_the_web_are_well_formed(document):
    """They cannot be followed without a network."""
    web = [link for link in links(document) if re.match(r"[a-z]+:", link)]
    form = re.compile(r"https://[a-z0-9-]+(\.[a-z0-9-]+)+(/[\w./~%-]*)?(#[\w.-]+)?")
    assert [link for link in web if not form.fullmatch(link)] == []


@each_document
def test_tables_have_as_many_cells_in_each_row(document):
    widths = []
    for line in [*FENCE.sub("", document.read_text()).splitlines(), ""]:
        if line.startswith("|"):
            # A vertical bar within code still divides cells.
            widths.append(len(re.findall(r"(?<!\\)\|", line)))
        else:
            assert len(set(widths)) <= 1, f"the table before {line!r}"
            widths = []


@each_document
def test_options_exist_and_have_valid_values(document):
    unknown = []
    for line, name, value in options(document):
        if name.startswith("config."):
            is_known = is_field(name.removeprefix("config."))
        elif any(f"--{name}" in script.read_text() for script in scripts_of(line, document)):
            is_known = True
        else:
            is_known = name in flags.FLAGS or name in ("help", "helpfull")
            is_placeholder = re.fullmatch(r"[A-Z_:]+", value)
            if name == "config" and value and not is_placeholder:
                is_known = pathlib.Path(configs.find(value)).is_file()
            elif is_known and value and not is_placeholder:
                flags.FLAGS[name].parser.parse(value)  # raises ValueError
        if not is_known and not line.startswith(OTHER_PROGRAMS):
            unknown.append((line, name))
    assert unknown == []


@each_document
def test_paths_that_are_named_exist(document):
    here = (ROOT, document.parent, ROOT / "musicvae_jax")
    named = {
        path
        for text in code(document)
        for path in re.findall(rf"(?<![\w/.-])(?:{FOLDERS})/[\w./-]*\w", text)
    }
    named |= {
        path
        for path in SPAN.findall(FENCE.sub("", document.read_text()))
        if re.fullmatch(r"[\w/]+\.(py|sh|cc|sbatch|yaml)|\w+/", path)
    }
    missing = {path for path in named if not any((folder / path).exists() for folder in here)}
    assert missing == set()


def python_blocks(document: pathlib.Path) -> list[str]:
    return [text for kind, text in FENCE.findall(document.read_text()) if kind == "python"]


def test_python_uses_public_names():
    used = {
        node.attr
        for document in DOCUMENTS
        for block in python_blocks(document)
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "mv"
    }
    assert used <= set(mv.__all__)


@pytest.mark.slow
def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, melody in zip(("a.mid", "b.mid"), mv.example_melodies().values(), strict=True):
        mv.write(tmp_path / name, melody)
    (block,) = python_blocks(ROOT / "README.md")
    exec(compile(block, "README.md", "exec"), {})
    assert (tmp_path / "transition.mid").stat().st_size > 1000
    assert (tmp_path / "transition.png").stat().st_size > 10_000


def test_the_architecture_has_every_package_bottom_up():
    text = (ROOT / "docs/architecture.md").read_text()
    rows = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", text, re.MULTILINE)
    assert tuple(rows) == imports_test.LAYERS


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == mv.__version__
    assert {"title", "authors", "message"} <= set(citation)

"""XML of strangers as a tree: only the elements asked for, and no entities."""

import re
from collections.abc import Collection
from xml.etree import ElementTree
from xml.parsers import expat

# A song for orchestra has 300,000 elements.
MAX_ELEMENTS = 1_000_000
MAX_DEPTH = 32


class _Builder:
    """Builds a tree of the elements of some names; others are left out with all they hold."""

    def __init__(self, tags: Collection[str]):
        self._tags = frozenset(tags)
        self._tree = ElementTree.TreeBuilder()
        self._depth = self._skipped_depth = self._count = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._skipped_depth or tag not in self._tags:
            self._skipped_depth += 1
            return
        self._count += 1
        self._depth += 1
        if self._count > MAX_ELEMENTS or self._depth > MAX_DEPTH:
            raise ValueError("more elements than any song has")
        self._tree.start(tag, attributes)

    def end(self, tag: str) -> None:
        if self._skipped_depth:
            self._skipped_depth -= 1
            return
        self._depth -= 1
        self._tree.end(tag)

    def data(self, text: str) -> None:
        if self._depth and not self._skipped_depth:
            self._tree.data(text)

    def close(self) -> ElementTree.Element | None:
        """The root; None if it was left out."""
        return self._tree.close()


def parse(data: bytes, tags: Collection[str]) -> ElementTree.Element:
    """The tree of an XML document.

    External entities are never loaded, and a document that declares entities is refused:
    a few lines of them can expand to gigabytes.

    Args:
      data: in UTF-8, UTF-16, Latin-1 or ASCII, as its declaration says.
      tags: the names of the elements that are kept, the root's among them.

    Raises:
      ValueError: it is not well formed, declares entities, has another root, or has too
        many elements.
    """
    builder = _Builder(tags)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = _refuse_entity
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError) as error:  # the latter of an unknown encoding
        raise ValueError(str(error)) from error
    root = builder.close()
    if root is None:
        raise ValueError("no element that music has")
    return root


def _refuse_entity(name: str, *_: object) -> None:
    raise ValueError(f"it declares the entity {name[:40]!r}, which music does not need")


def text(element: ElementTree.Element | None, path: str = ".") -> str:
    """The text of an element below another one, on one line; empty where there is none."""
    found = None if element is None else element.find(path)
    return "" if found is None or found.text is None else " ".join(found.text.split())


def number(element: ElementTree.Element, path: str, default: int = 0) -> int:
    """A whole number; some programs write `1.0`."""
    match = re.match(r"-?\d{1,9}", text(element, path))
    return int(match[0]) if match else default

"""Where melodies come from: traditional tunes of music21, published collections, own folders."""

import csv
import dataclasses
import functools
import hashlib
import importlib.resources
import logging
import os
from collections.abc import Iterable, Iterator, Sequence

from musicvae_jax.datasets.melodies import folk
from musicvae_jax.datasets.melodies.music_files import (
    LAKH_LAYOUTS,
    MusicFile,
    ReadingRules,
    find_music_files,
    fingerprint,
    read_music_files,
)
from musicvae_jax.datasets.melodies.songs import Elsewhere, Refusal, SourceSong
from musicvae_jax.midi.reading import Reading
from musicvae_jax.system.errors import UserError

logger = logging.getLogger(__name__)

FOLK = "folk"


@dataclasses.dataclass(frozen=True)
class Collection:
    """A collection that somebody published, and that is known by a short name.

    Attributes:
      title: its name.
      address: of the git repository that it is published in, or of a zip file.
      commit: the version that the shipped model was trained on; empty for a zip file.
      pattern: of its files, below the repository's folder.
      licence: as its authors state it.
      credit: who made it.
      sha256: of its files in that version, see `files_sha256`.
      selection: the name of a list, beside this module, of the files that are taken; empty
        for all of them.
      splits: the name of its own table, in which a column `split` says of which split each
        file is that a column `midi_filename` names; empty for none.
    """

    title: str
    address: str
    commit: str
    pattern: str
    licence: str
    credit: str
    sha256: str
    selection: str = ""
    splits: str = ""

    @property
    def version(self) -> str:
        """What the shipped model was trained on, in words."""
        return f"commit {self.commit}" if self.commit else self.address

    def fetch_command(self, folder: str) -> str:
        """The shell command that brings the collection to a folder."""
        if not self.commit:
            # It holds a folder of the collection's name.
            archive = f"{folder}.zip"
            above = os.path.dirname(folder) or "."
            return f"curl -L -o {archive} {self.address} && unzip {archive} -d {above}"
        return f"git clone {self.address} {folder} && git -C {folder} checkout {self.commit}"


COLLECTIONS = {
    "lieder": Collection(
        title="OpenScore Lieder Corpus",
        address="https://github.com/OpenScore/Lieder",
        commit="bca12245",
        pattern="scores/**/*.mxl",
        licence="CC0 1.0",
        credit="OpenScore",
        sha256="e699dba2acb52fbdaa2900d88da0c8fbfc8bf3c8c6f0b97a63d81e0314e8dc5c",
    ),
    "ceol_rince": Collection(
        title="Ceol Rince na hÉireann, MIDI corpus",
        address="https://github.com/polifonia-project/folk_ngram_analysis",
        commit="9d8ccf9f",
        pattern="**/MIDI/*.mid",
        licence="CC BY 4.0",
        credit="collected by Breandán Breathnach, transcribed by Bill Black, edited by Danny "
        "Diamond and Abdul Shahid for the Polifonia project",
        sha256="da74ef04865d5c2bbf59a0dbb2f501fb67550ee02f38761027933b839ddeb6af",
    ),
    "open_hymnal": Collection(
        title="Open Hymnal Project",
        address="https://github.com/mzealey/openhymnal",
        commit="d35811b2",
        pattern="C*/**/*.abc",
        licence="public domain",
        credit="Brian J. Dumont",
        sha256="aacf12aee7528aacf252cdfe36c147f37bdffad5c0f6c96f958b432bfb3785fe",
    ),
    "openewld": Collection(
        title="OpenEWLD, lead sheets that were first performed by 1930 and whose named authors "
        "died before 1948",
        address="https://github.com/00sapo/OpenEWLD",
        commit="ec03cbd8",
        pattern="dataset/**/*.mxl",
        licence="public domain",
        credit="Federico Simonetta",
        sha256="9dfcb0c557761e6ccbfd853447d9a72ef824d79233e58ad4584415cb71b78e9b",
        selection="openewld.txt",
    ),
    "groove": Collection(
        title="Groove MIDI Dataset",
        address="https://storage.googleapis.com/magentadata/datasets/groove/"
        "groove-v1.0.0-midionly.zip",
        commit="",
        pattern="**/*.mid",
        licence="CC BY 4.0",
        credit="Jon Gillick, Adam Roberts, Jesse Engel, Douglas Eck, David Bamman, Google",
        sha256="ed7443aa79406d25231b7d3fbf5cf44c25b42fc1730cb2cb8f0d654b8f1a8cfc",
        splits="info.csv",
    ),
}


@dataclasses.dataclass(frozen=True)
class Source:
    """One part of a data set.

    Attributes:
      name: `folk`, a name of `COLLECTIONS`, or the folder or glob of one's own music.
      rules: how its files become windows.
      music21_collections: for `folk`, the collections of music21 to read; else empty.
      path: a folder or glob of music files; empty for `folk`.
    """

    name: str
    rules: ReadingRules
    music21_collections: tuple[str, ...] = ()
    path: str = ""

    def files(self) -> list[MusicFile]:
        """Its music files, in order.

        Raises:
          UserError: there are none.
        """
        collection = COLLECTIONS.get(self.name)
        if collection is None:
            return find_music_files(self.path)
        pattern = os.path.join(self.path, collection.pattern)
        try:
            files = find_music_files(pattern)
        except UserError:
            raise UserError(
                f"config.dataset.sources: {self.name!r}: there is no {pattern}; it is the "
                f"{collection.title} ({collection.licence}), which this command brings there: "
                f"{collection.fetch_command(self.path)}",
                "config.dataset.sources",
                "config.dataset.folder",
            ) from None
        if not collection.selection:
            return files
        selected = _selection(collection.selection)
        chosen = [file for file in files if file.path.stem in selected]
        return [dataclasses.replace(file, index=index) for index, file in enumerate(chosen)]

    def fingerprint(self) -> str:
        """A hash that changes with the content; of a published collection the same everywhere."""
        if self.name not in COLLECTIONS and not self.music21_collections:
            return fingerprint(self.files(), self.rules)
        content = self.music21_collections or files_sha256(self.files())
        return hashlib.sha256(repr((content, self.rules)).encode()).hexdigest()

    def splits(self) -> dict[str, str]:
        """The splits of its files by their ids, where its collection has a table of them."""
        collection = COLLECTIONS.get(self.name)
        if collection is None or not collection.splits:
            return {}
        path = os.path.join(self.path, collection.splits)
        with open(path, encoding="utf-8", newline="") as file:
            return {row["midi_filename"]: row["split"] for row in csv.DictReader(file)}

    def read(self) -> Iterator[SourceSong | Refusal | Elsewhere]:
        """Its songs, on all cores, in order."""
        if self.music21_collections:
            yield from folk.read_folk(
                self.music21_collections, self.rules.windows, self.rules.steps_per_bar
            )
            return
        files, collection = self.files(), COLLECTIONS.get(self.name)
        results = read_music_files(files, self.rules)
        if collection is None:
            yield from results
            return
        if files_sha256(files) != collection.sha256:
            logger.warning(
                "%s: the files in %s are not those of %s, which the shipped model learned",
                self.name,
                self.path,
                collection.version,
            )
        split_of = self.splits()
        for result in results:
            if isinstance(result, SourceSong):
                result = dataclasses.replace(result, split=split_of.get(result.id, ""))
            yield result


@functools.cache
def _selection(name: str) -> frozenset[str]:
    """The stems of the files of a list."""
    text = importlib.resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    return frozenset(text.splitlines())


def find_source(
    name: str,
    rules: ReadingRules,
    folder: str = "",
    music21_collections: Sequence[str] = folk.COLLECTIONS,
) -> Source:
    """The source that a configuration names.

    Args:
      name: `folk`, a name of `COLLECTIONS`, or a path of one's own: a folder or a glob.
      rules: how files become windows. For a folder that is called as a Lakh collection,
        its layout is added.
      folder: where published collections are kept, each in a folder of its name.
      music21_collections: for `folk`.
    """
    if name == FOLK:
        return Source(name, rules, tuple(sorted(music21_collections)))
    if name in COLLECTIONS:
        # Files that are known: what they say of their bars needs no check.
        rules = dataclasses.replace(rules, reading=Reading(as_declared=True))
        return Source(name, rules, path=os.path.join(os.path.expanduser(folder), name))
    last = os.path.basename(os.path.normpath(name))
    layout = last if last in LAKH_LAYOUTS else ""
    return Source(name, dataclasses.replace(rules, layout=layout), path=name)


def files_sha256(files: Iterable[MusicFile]) -> str:
    """A hash of the names and contents of files, whatever folder they are in."""
    digest = hashlib.sha256()
    for name, path in sorted((file.path.name, file.path) for file in files):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{name} {content}\n".encode())
    return digest.hexdigest()

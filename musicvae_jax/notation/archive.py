"""The archives in which compressed MusicXML comes (.mxl)."""

import io
import zipfile
import zlib

from musicvae_jax.notation import xml_tree

# The largest song among 1,460 has 2.4 MB; scores for orchestra have 10 MB.
MAX_XML_BYTES = 16 << 20
_CONTAINER = "META-INF/container.xml"


def unpacked(data: bytes) -> bytes:
    """The score in an archive.

    Raises:
      ValueError: it is damaged, has no score, or unpacks to more than `MAX_XML_BYTES`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            name = _root_file(archive) if _CONTAINER in names else ""
            if name not in names:
                scores = [n for n in names if n.lower().endswith((".xml", ".musicxml"))]
                scores = [n for n in scores if not n.startswith(("META-INF", "__MACOSX"))]
                if not scores:
                    raise ValueError("the archive has no score")
                name = scores[0]
            return _member(archive, name)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as error:
        raise ValueError(f"damaged archive: {error}") from error


def _root_file(archive: zipfile.ZipFile) -> str:
    """The name of the score in an archive; empty where its list of contents is damaged.

    Some programs write an `&` in a title there as it is.
    """
    try:
        tags = {"container", "rootfiles", "rootfile"}
        container = xml_tree.parse(_member(archive, _CONTAINER), tags)
    except ValueError:
        return ""
    return next((file.get("full-path", "") for file in container.iter("rootfile")), "")


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    info = archive.getinfo(name)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("the archive is compressed in a way that MusicXML does not use")
    with archive.open(info) as file:
        content = file.read(MAX_XML_BYTES + 1)
    if len(content) > MAX_XML_BYTES:
        raise ValueError(f"larger than {MAX_XML_BYTES >> 20} MiB when unpacked")
    return content

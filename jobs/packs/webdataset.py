"""Packs as WebDataset reads them: tar files in which neighbours that share a name up to the first dot are a sample."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from posixpath import splitext

from jobs.packs.sample import DamagedPackError, Sample


class WebDatasetFormat:
    """Of each pair the picture, under the suffix of its output, and its facts as json."""

    def encode(self, samples: Iterable[Sample]) -> bytes:
        """A tar file that says nothing of when and by whom it was made."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for sample in samples:
                name = _name(sample.pair_id)
                facts = json.dumps(sample.facts, ensure_ascii=False, separators=(",", ":")).encode()
                _add(tar, name + splitext(sample.path)[1].lower(), sample.picture)
                _add(tar, f"{name}.json", facts)
        return buffer.getvalue()

    def decode(self, data: bytes) -> Mapping[str, bytes]:
        """The pictures, by pair id.

        Raises:
            DamagedPackError: it is no such pack, or has a pair twice.
        """
        pictures: dict[str, bytes] = {}
        ids: list[str] = []
        try:
            with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
                for member in tar:
                    file = tar.extractfile(member)
                    name, suffix = splitext(member.name)
                    if file is None or (name in pictures and suffix != ".json"):
                        raise DamagedPackError(f"{member.name} is there twice, or is no file")
                    if suffix == ".json":
                        ids.append(json.loads(file.read())["pair_id"])
                    else:
                        pictures[name] = file.read()
                end = data[tar.offset :]  # which tarfile takes a damaged header for
                if len(end) < tarfile.BLOCKSIZE or end.strip(b"\0"):
                    raise DamagedPackError("its end is missing")
        except (tarfile.TarError, OSError, ValueError, KeyError, TypeError) as error:
            raise DamagedPackError(f"it is no intact tar file of samples ({error})") from error
        if [_name(pair_id) for pair_id in ids] != list(pictures):
            raise DamagedPackError("not every picture has its json, or the other way round")
        return dict(zip(ids, pictures.values(), strict=True))


def _name(pair_id: str) -> str:
    """Without dots, at the first of which the name of a sample ends; an id has no % of its own."""
    return pair_id.replace(".", "%2E")


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))

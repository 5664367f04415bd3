"""Which files and objects a job may read: those below the prefixes that its user allows."""

import os
from collections.abc import Sequence

from jobs.errors import StorageError
from jobs.storage.uris import local_path, scheme, shown, split_s3


def check_allowed(uri: str, allowed: Sequence[str]) -> None:
    """Refuse what is not below one of the folders or s3://bucket/prefix URIs in `allowed`; if there is none, nothing.

    A prefix ends where a name does: s3://b/data allows s3://b/data/x, and not s3://b/database. A local file must be
    below one as it is written, '..' taken into account, and also where symbolic links lead.

    Raises:
        StorageError: it is elsewhere.
    """
    if not allowed:
        return
    fine = _is_allowed_object(uri, allowed) if scheme(uri) == "s3" else _is_allowed_file(uri, allowed)
    if not fine:
        raise StorageError(
            f"{shown(uri)} is outside of what the job may read ({', '.join(map(shown, allowed))}); "
            "move it there, or allow its folder too"
        )


def _is_allowed_object(uri: str, allowed: Sequence[str]) -> bool:
    bucket, key = split_s3(uri)
    # Amazon S3 takes every key literally, but other stores walk folders.
    if not key or not {".", ".."}.isdisjoint(key.split("/")):
        return False
    prefixes = [split_s3(prefix) for prefix in allowed if scheme(prefix) == "s3"]
    return any(bucket == its and (not prefix or _is_below(key, prefix)) for its, prefix in prefixes)


def _is_allowed_file(uri: str, allowed: Sequence[str]) -> bool:
    path = local_path(uri)
    folders = [local_path(prefix) for prefix in allowed if scheme(prefix) != "s3"]
    try:
        for place in (os.path.abspath, os.path.realpath):
            name = place(path)
            if not any(_is_below(name, place(folder)) for folder in folders):
                return False
    except (OSError, ValueError):  # a name that no file system can hold
        return False
    return True


def _is_below(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix.rstrip("/") + "/")

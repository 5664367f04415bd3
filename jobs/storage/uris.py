"""Names of things: keys below a root, local paths and s3:// URIs, as plain text.

S3 URIs are taken literally, as the AWS command line does: `%20`, `?` and `#` are characters of the key.
"""

import re
import unicodedata
from pathlib import Path
from urllib.parse import unquote

from jobs.errors import StorageError

TEMPORARIES = ".partial"  # the one folder below a root that no key may name and no listing shows
_LONGEST_S3_KEY = 1024  # UTF-8 bytes
_LONGEST_KEY = 900  # the store's prefix needs the others
_SHOWN = 300  # characters of a name that messages show
_CONTROL = {"Cc", "Zl", "Zp"}  # control characters, line and paragraph separators
_BUCKET = re.compile(r"[A-Za-z0-9._-]{1,255}")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def check_key(key: str) -> str:
    """Return `key` if it names an object below the root on every store.

    Raises:
        StorageError: it is empty, too long or not text, or could leave the root.
    """
    segments = key.split("/")
    if not key:
        problem = "it is empty"
    elif _is_longer(key, _LONGEST_KEY):
        problem = f"it is longer than {_LONGEST_KEY} bytes"
    elif segments[0] == "":
        problem = "it is absolute"
    elif any(segment in ("", ".", "..") for segment in segments):
        problem = "it has an empty, '.' or '..' segment"
    elif "\\" in key or any(unicodedata.category(character) in _CONTROL for character in key):
        problem = "it has a backslash or a control character"
    elif any(unicodedata.category(character) == "Cs" for character in key):
        problem = "it is not valid Unicode"
    elif segments[0].casefold() == TEMPORARIES:  # some file systems ignore case
        problem = f"{TEMPORARIES!r} is reserved for unfinished files"
    else:
        return key
    raise StorageError(f"the key {key[:200]!r} cannot be used: {problem}")


def check_prefix(prefix: str) -> str:
    """Return `prefix` if keys can start with it: '' for all, 'images/' for a folder, 'images/a' for part of a name.

    Raises:
        StorageError: no key could start so.
    """
    if prefix:
        check_key(prefix.removesuffix("/"))
    return prefix


def scheme(uri: str) -> str:
    """Return the scheme of `uri` in lower case, '' for a local path."""
    match = _SCHEME.match(uri)
    return match[1].lower() if match else ""


def split_s3(uri: str) -> tuple[str, str]:
    """Split 's3://bucket/some/key' into ('bucket', 'some/key'); the key may be empty.

    Raises:
        StorageError: there is no bucket, or no store has such a key.
    """
    bucket, _, key = uri[len("s3://") :].partition("/")
    if not bucket:
        raise StorageError(f"{shown(uri)!r} names no bucket; write s3://bucket/key")
    if ":" in bucket or "@" in bucket:  # not shown: it may be a secret
        raise StorageError("an s3:// URI has a user or a password in it; credentials belong into the AWS settings")
    if not _BUCKET.fullmatch(bucket):
        raise StorageError(f"{shown(uri)} is not a valid S3 URI: check the name of the bucket")
    if _is_longer(key, _LONGEST_S3_KEY):
        raise StorageError(f"{shown(uri)} cannot be an object: its key is longer than {_LONGEST_S3_KEY} bytes")
    if any("\ud800" <= character <= "\udfff" for character in key):
        raise StorageError(f"{shown(uri)} cannot be an object: it is not valid Unicode")
    return bucket, key


def local_path(uri: str) -> Path:
    """Turn a local path or a file:// URI into a path.

    Raises:
        StorageError: it is empty, on another host, or has a scheme that is not supported.
    """
    if not uri or "\0" in uri:
        raise StorageError(f"{shown(uri)!r} names no file")
    if scheme(uri) == "file":
        host, slash, path = uri[len("file://") :].partition("/")
        if host not in ("", "localhost") or not slash:
            raise StorageError(f"{shown(uri)!r} is not on this machine; write file:///path or a plain path")
        return local_path(unquote("/" + path))
    if scheme(uri):
        raise StorageError(
            f"{shown(uri)!r}: {shown(scheme(uri))}:// is not supported; use s3://, file:// or a local path"
        )
    return Path(uri)


def absolute_uri(uri: str) -> str:
    """Name the same thing to programs in other folders: a local path becomes absolute, a URI stays.

    Raises:
        StorageError: it is empty, or no path.
    """
    return uri if scheme(uri) else str(local_path(uri).absolute())


def resolve_uri(reference: str, base: str) -> str:
    """Resolve a `reference` found in the file at `base`, itself local or on S3.

    Absolute paths and URIs come back as they are; anything else is relative to the folder that holds `base`.

    Raises:
        StorageError: it is empty, or climbs out of the bucket.
    """
    if not reference:
        raise StorageError(f"an empty path in {shown(base)}")
    if scheme(reference) or reference.startswith("/"):
        return reference
    if scheme(base) != "s3":
        return str(local_path(base).parent / reference)
    bucket, key = split_s3(base)
    segments = key.split("/")[:-1]
    for segment in reference.split("/"):
        if segment == ".." and not segments:
            raise StorageError(f"{shown(reference)!r} in {shown(base)} leads out of the bucket")
        if segment == "..":
            segments.pop()
        elif segment != ".":
            segments.append(segment)
    return f"s3://{bucket}/{'/'.join(segments)}"


def shown(name: str) -> str:
    """Return a name, or any other text from outside, fit for a message: on one line, printable and not endless."""
    cut = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"
    return cut if cut.isprintable() else repr(cut)[1:-1]


def too_large(name: str, size: int, most: int) -> str:
    """Return the message about a file or an object of `size` bytes where `most` are allowed."""
    return f"{shown(name)} has {size:,} bytes, more than the {most:,} that are allowed"


def _is_longer(text: str, most: int) -> bool:
    """Say whether text takes more than `most` bytes, without a look at each character of one that is endless."""
    return len(text) > most or len(text.encode(errors="surrogatepass")) > most

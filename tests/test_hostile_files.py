"""Pictures and weights made to do harm: each is refused with a message, in bounded memory, and runs nothing."""

import csv
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from ift.errors import ImageError, WeightsError
from ift.images import decode_image
from ift.vgg19 import load_vgg19
from ift.weight_files import PRETRAINED
from ift.weights import load_networks
from tests.jobs.pairs import picture, read_run

MEGABYTE = 1 << 20
MOST_MEMORY = 100 * MEGABYTE  # for refusing a file of a few megabytes
SIDE = 100_000
SMALL = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8))


def encoded(image: Image.Image, format_: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def png(width: int, height: int, pixels: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in ((b"IHDR", header), *chunks, (b"IDAT", zlib.compress(pixels)), (b"IEND", b""))
    )


def tiff(width: int, height: int, tags: dict[int, tuple[int, int]], body: bytes, **changes: int) -> bytes:
    """A grey TIFF of one directory; tags are (count, value) of LONGs, and a value of -1 is where the body begins."""
    fields = {256: (1, width), 257: (1, height), 258: (1, 8), 259: (1, changes.get("compression", 1)), 262: (1, 1)}
    fields |= {277: (1, changes.get("samples", 1))} | tags
    start = 8 + 2 + 12 * len(fields) + 4
    entries = b"".join(
        struct.pack("<HHII", tag, 4, count, start if value == -1 else value)
        for tag, (count, value) in sorted(fields.items())
    )
    return b"II*\0" + struct.pack("<IH", 8, len(fields)) + entries + bytes(4) + body


def tiff_of_one_tile(width: int, height: int) -> bytes:
    """16×16 pixels in a tile of any size."""
    body = zlib.compress(bytes(width * height), 9)
    tags = {322: (1, width), 323: (1, height), 324: (1, -1), 325: (1, len(body))}
    return tiff(16, 16, tags, body, compression=8)


def tiff_of_strips(count: int) -> bytes:
    return tiff(16, 16, {273: (count, -1), 278: (1, 1), 279: (count, -1)}, bytes(4 * count))


def jpeg_of_scans(count: int) -> bytes:
    """4000×4000 pixels, refined again and again."""
    data = encoded(Image.new("RGB", (4000, 4000)), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + count * last + b"\xff\xd9"


def forged(format_: str, marker: bytes, offset: int, size: bytes) -> bytes:
    """A small picture that says it is large, at some bytes after a marker."""
    data = bytearray(encoded(SMALL, format_))
    at = data.index(marker) + offset
    data[at : at + len(size)] = size
    return bytes(data)


def text_bomb(name: bytes, head: bytes) -> bytes:
    return png(1, 1, bytes(4), (name, head + zlib.compress(bytes(32 * MEGABYTE), 9)))


def rotten(format_: str, **options) -> bytes:
    data = bytearray(encoded(SMALL.resize((200, 200)), format_, **options))
    for at in range(200, len(data) - 400, 97):
        data[at] ^= 0x55
    return bytes(data)


LARGE = struct.pack(">II", SIDE, SIDE)
BITMAP = struct.pack("<IHHI", 0, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, SIDE, SIDE, 1, 24, 0, 0, 0, 0, 0, 0)

WEBP = "524946461a000000574542505650384c0e0000002ffebfff0f071011fd0f4444ff03"  # 16 383 × 16 383

TOO_LARGE = "more than the limit of"
DAMAGED = "is damaged, or of a kind that cannot be decoded"
REFUSED = {
    # Small files that say they are of 10 000 megapixels, or unpack to far more than they show.
    "size.png": (lambda: png(SIDE, SIDE, bytes(MEGABYTE)), TOO_LARGE),
    "size.tif": (lambda: tiff(SIDE, SIDE, {273: (1, -1), 278: (1, SIDE), 279: (1, 99)}, bytes(99)), TOO_LARGE),
    "size.gif": (lambda: b"GIF89a" + b"\xff\xff\xff\xff\0\0\0," + bytes(4) + b"\1\0\1\0\0\x08\0;", TOO_LARGE),
    "size.jpg": (lambda: forged("JPEG", b"\xff\xc0", 5, b"\xff\xdc\xff\xdc"), TOO_LARGE),
    "size.bmp": (lambda: b"BM" + BITMAP, TOO_LARGE),
    "size.ppm": (lambda: b"P6 100000 100000 255\n", TOO_LARGE),
    "size.jp2": (lambda: forged("JPEG2000", b"ihdr", 4, LARGE), TOO_LARGE),
    "codestream.jp2": (lambda: forged("JPEG2000", b"\xff\x51", 6, LARGE), DAMAGED),
    "size.avif": (lambda: forged("AVIF", b"ispe", 8, LARGE), DAMAGED),
    "size.webp": (lambda: bytes.fromhex(WEBP), "has more pixels than Pillow's own limit"),
    "iccp.png": (lambda: text_bomb(b"iCCP", b"n\0\0"), "carries far too much text"),
    "ztxt.png": (lambda: text_bomb(b"zTXt", b"n\0\0"), "carries far too much text"),
    "itxt.png": (lambda: text_bomb(b"iTXt", b"n\0\1\0\0\0"), "carries far too much text"),
    "texts.png": (
        lambda: png(1, 1, bytes(4), *[(b"zTXt", b"n\0\0" + zlib.compress(bytes(MEGABYTE), 9))] * 200),
        "carries far too much text",
    ),
    "scans.jpg": (lambda: jpeg_of_scans(7000), "in far more scans than any program writes"),
    # TIFFs whose parts are out of all proportion.
    "tile.tif": (lambda: tiff_of_one_tile(16_384, 8192), "tiles of 134.2 megapixels for 16×16"),
    "strips.tif": (lambda: tiff_of_strips(1_000_000), "1000000 strips or tiles for 16×16"),
    "samples.tif": (lambda: tiff(16, 16, {273: (1, -1), 279: (1, 99)}, bytes(99), samples=65_535), DAMAGED),
    "count.tif": (lambda: tiff(16, 16, {273: (2**32 - 1, 0), 279: (2**32 - 1, 0)}, b""), DAMAGED),
    "no strips.tif": (lambda: tiff(16, 16, {}, b""), DAMAGED),
    # Damage that a decoder of C would tell the terminal about.
    "rotten lzw.tif": (lambda: rotten("TIFF", compression="tiff_lzw"), DAMAGED),
    "rotten deflate.tif": (lambda: rotten("TIFF", compression="tiff_adobe_deflate"), DAMAGED),
    "rotten.png": (lambda: rotten("PNG"), DAMAGED),
    "rotten.jpg": (lambda: rotten("JPEG")[:-300], "is"),
    # Nothing but a name.
    "empty.png": (lambda: b"", "is empty (0 bytes)"),
    "archive.png": (lambda: b"PK\3\4" + bytes(999), "is not a picture that can be read"),
}

# Read as what they are: nothing is refused, and nothing is read that is not shown.
FRAMES = [Image.fromarray(np.random.default_rng(k).integers(0, 256, (32, 32), dtype=np.uint8)) for k in range(300)]
AMPLIFIED = tiff(
    16, 16, {273: (1, -1), 278: (1, 16), 279: (1, 256)} | dict.fromkeys(range(50_000, 50_999), (MEGABYTE // 4, -1)),
    bytes(MEGABYTE),
)  # fmt: skip
READ = {
    **{
        f"frames.{format_}": lambda format_=format_: encoded(
            FRAMES[0], format_, save_all=True, append_images=FRAMES[1:]
        )
        for format_ in ("GIF", "PNG", "TIFF", "WEBP")
    },
    "data behind the pixels.png": lambda: png(4, 4, bytes(128 * MEGABYTE)),
    "a thousand tags of a megabyte each.tif": lambda: AMPLIFIED,
    "the same as exif.png": lambda: png(16, 16, bytes(16 * 49), (b"eXIf", AMPLIFIED)),
    "a directory in itself.tif": lambda: tiff(
        16, 16, {273: (1, -1), 279: (1, 256), 330: (1, 8), 34_665: (1, 8)}, bytes(256)
    ),
}

# Every file in a process of its own, forked off: what it dies of, or takes, is its own.
READER = """
import json, os, resource, sys
from ift.errors import ImageError
from ift.images import decode_image
from jobs.storage import read_uri

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

for path in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        data, before = read_uri(path), peak()
        try:
            told = f"read: {tuple(decode_image(data, path).shape)}"
        except ImageError as error:
            told = str(error)
        print(json.dumps([path, told, peak() - before]), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.fixture(scope="module")
def reading(tmp_path_factory):
    """What became of each file, {name: (message, bytes of memory)}; and all that was printed beside."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, build in {**{name: build for name, (build, _) in REFUSED.items()}, **READ}.items():
        (folder / name).write_bytes(build())
    done = subprocess.run(
        [sys.executable, "-c", READER, *map(str, sorted(folder.iterdir()))],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONWARNINGS": ""},
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return {Path(path).name: (told, memory) for path, told, memory in answers}, done.stderr


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_pictures_are_refused_by_name_in_little_memory(reading, name):
    assert name in reading[0], "the process that read it died"
    told, memory = reading[0][name]
    assert f"/{name} " in told and REFUSED[name][1] in told and "\n" not in told and len(told) < 1000
    assert memory < MOST_MEMORY


@pytest.mark.parametrize("name", READ)
def test_what_a_picture_carries_beside_its_first_frame_costs_nothing(reading, name):
    assert name in reading[0], "the process that read it died"
    told, memory = reading[0][name]
    assert told.startswith("read: (3, ")
    assert memory < MOST_MEMORY


def test_nothing_is_printed_about_them(reading):
    assert reading[1] == ""


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "WEBP", "TIFF"])
def test_what_is_also_something_else_is_read_as_the_picture_alone(format_):
    plain = encoded(SMALL, format_)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("run.sh", "rm -rf /")
    for tail in (archive.getvalue(), b"<html><script>alert(1)</script></html>", b"%!PS-Adobe-3.0 EPSF-3.0\n", plain):
        assert torch.equal(decode_image(plain + tail, "both"), decode_image(plain, "plain"))


@pytest.mark.parametrize("format_", ["EPS", "PDF", "ICO", "ICNS", "PCX", "TGA", "SGI", "DDS", "SPIDER", "XBM"])
def test_formats_off_the_list_are_refused_whatever_their_name(format_):
    data = encoded(SMALL.convert("1") if format_ == "XBM" else SMALL.convert("RGB").resize((32, 32)), format_)
    with pytest.raises(ImageError, match=r"^s3://b/a\.jpg is not a picture that can be read \(only JPEG, PNG"):
        decode_image(data, "s3://b/a.jpg")


@pytest.mark.parametrize(
    "data",
    [
        b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 16, 16, 8, 3) + bytes(999),
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        b"\xc5\xd0\xd3\xc6" + struct.pack("<II", 32, 99) + bytes(999),
        b"\xd7\xcd\xc6\x9a" + bytes(99),
        b"\x89HDF\r\n\x1a\n" + bytes(99),
        b"push graphic-context\nfill 'url(https://example.com/|touch pwned)'\npop graphic-context",
    ],
    ids=["PSD", "SVG", "EPS in a DOS wrapper", "WMF", "HDF5", "MVG"],
)
def test_files_for_other_programs_are_refused(data):
    with pytest.raises(ImageError, match="is not a picture that can be read"):
        decode_image(data, "a.jpg")


def test_ghostscript_is_never_run(tmp_path):
    ran = tmp_path / "ran"
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch '{ran}'\n")
    (tmp_path / "gs").chmod(0o755)
    (tmp_path / "a.jpg").write_bytes(encoded(SMALL, "EPS"))
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": os.pathsep.join(sys.path)}

    def python(script):
        command = [sys.executable, "-c", script]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    ours = python("from ift import load_image; load_image('a.jpg')")
    assert "ImageError: a.jpg is not a picture that can be read" in ours.stderr and not ran.exists()
    python("from PIL import Image; Image.open('a.jpg').load()")
    assert ran.exists()  # so the trap is live


# --- weights ---------------------------------------------------------------------------------------


class Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def encoded_by_torch(value):
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def loaded(kind, path):
    return load_networks(path) if kind == "weights" else load_networks(vgg19=path)


def refusal(kind, path):
    with pytest.raises(WeightsError) as caught:
        loaded(kind, path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def state():
    """The tensors of both files, by kind."""
    vgg19 = {f"{n}.{k}": v for n, pair in load_vgg19().items() for k, v in zip(("weight", "bias"), pair, strict=True)}
    return {"weights": load_file(PRETRAINED), "vgg19": vgg19}


CHANGED = {"weights": "decoder.block3.conv_in.weight", "vgg19": "block2_conv1.weight"}
KINDS = list(CHANGED)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".bin", ""])
@pytest.mark.parametrize("dump", [pickle.dumps, encoded_by_torch], ids=["pickle", "torch"])
def test_a_payload_does_not_run(tmp_path, kind, suffix, dump):
    ran, path = tmp_path / "ran", tmp_path / f"weights{suffix}"
    path.write_bytes(dump({"a": Payload(f"touch '{ran}'")}))
    refusal(kind, path)
    assert not ran.exists()


def header(content: object) -> bytes:
    data = json.dumps(content).encode()
    return struct.pack("<Q", len(data)) + data


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 90_000_000) + b"{" + bytes(99),
        struct.pack("<Q", 10**6) + b"[" * 10**6,
        header({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}),
        header({"a": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 0]}}),
        header({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}) + bytes(4),
        PRETRAINED.read_bytes()[:-1],
        PRETRAINED.read_bytes()[:9],
    ],
    ids=["length", "long", "deep", "beyond the end", "overflow", "backwards", "cut by a byte", "cut to a length"],
)
def test_safetensors_that_lie_or_are_cut_are_refused(tmp_path, kind, data):
    path = tmp_path / "mine.safetensors"
    path.write_bytes(data)
    assert "not a safetensors file" in refusal(kind, path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: value.index_fill(0, torch.tensor(0), torch.nan), "NaN or infinite numbers"),
        (lambda value: value.index_fill(0, torch.tensor(0), torch.inf), "NaN or infinite numbers"),
        (lambda value: value[:, :-1], "hape"),
        (lambda value: value[..., None], "hape"),
        (lambda value: value.to(torch.complex64), ""),
    ],
    ids=["nan", "inf", "narrow", "deep", "complex"],
)
def test_numbers_that_no_network_has_are_refused(tmp_path, state, kind, change, message):
    path, key = tmp_path / "mine.safetensors", CHANGED[kind]
    save_file(state[kind] | {key: change(state[kind][key]).contiguous()}, path)
    assert message in refusal(kind, path)
    save_file(state[kind], path)
    loaded(kind, path)  # so it was the change


@pytest.mark.parametrize(
    "change",
    [lambda value: value.to_sparse(), lambda value: value.to("meta")],
    ids=["sparse", "without any numbers"],
)
def test_tensors_of_an_odd_kind_are_refused(tmp_path, state, change):
    path, key = tmp_path / "mine.pth", CHANGED["vgg19"]
    torch.save(state["vgg19"] | {key: change(state["vgg19"][key])}, path)
    assert "has no convolution block2_conv1" in refusal("vgg19", path)


# --- the whole job ---------------------------------------------------------------------------------


def job(*arguments):
    command = [
        sys.executable,
        "-m",
        "jobs.stylize",
        "run",
        "--resolution",
        "64",
        "--workers",
        "1",
        *map(str, arguments),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.slow
def test_in_a_run_they_are_failed_rows_and_take_no_process_with_them(tmp_path):
    style = picture(tmp_path / "style.png", 1)
    contents = {name: build() for name, (build, _) in REFUSED.items()} | {"fine.png": style.read_bytes()}
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    with (tmp_path / "m.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("content", "style"), *((name, "style.png") for name in contents)])
    done = job("--manifest", tmp_path / "m.csv", "--output", tmp_path / "out", "--max-failed", 1)
    assert done.returncode == 0, done.stdout + done.stderr
    records = dict(zip(contents, read_run(tmp_path / "out"), strict=True))  # both in the order of rows
    assert records.pop("fine.png")["status"] == "done"
    assert {(record["status"], record["error_type"], record["attempts"]) for record in records.values()} == {
        ("failed", "ImageError", 1)
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_with_a_payload_for_weights_ends_with_its_name(tmp_path, kind):
    picture(tmp_path / "a.png", 1)
    (tmp_path / "m.csv").write_text("content,style\na.png,a.png\n")
    ran, path = tmp_path / "ran", tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps({"a": Payload(f"touch '{ran}'")}))
    done = job("--manifest", tmp_path / "m.csv", "--output", tmp_path / "out", f"--{kind}", path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert str(path) in done.stderr and "Traceback" not in done.stderr
    assert not ran.exists()

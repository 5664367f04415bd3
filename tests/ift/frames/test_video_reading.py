"""What is read of videos: frames, times, sizes; and what is refused."""

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from ift.box import Box
from ift.errors import ImageError
from ift.frames import open_frames
from ift.frames.video import open_video
from tests.ift.frames.conftest import drawing, error, whole

av = pytest.importorskip("av")

Make = Callable[..., Path]


def _tensor(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format", "options"),
    [
        ("a.mp4", "libx264", "yuv420p", {}),
        ("a.mov", "prores_ks", "yuv422p10le", {}),
        ("a.mkv", "ffv1", "bgr0", {}),
        ("a.webm", "libvpx-vp9", "yuv420p", {"crf": "10", "b": "0", "cpu-used": "8"}),
        ("a.avi", "mpeg4", "yuv420p", {"qmin": "1", "qmax": "1"}),
    ],
)
def test_frames_come_as_they_were(
    video: Make, scratch: Path, name: str, codec: str, pixel_format: str, options: dict[str, str]
) -> None:
    frames = open_frames(video(name, 4, codec=codec, pixel_format=pixel_format, options=options), scratch)
    assert frames.names == ("frame000001", "frame000002", "frame000003", "frame000004")
    assert frames.times == tuple(Fraction(number, 25) for number in range(4))
    assert frames.rate == 25
    for number, picture in enumerate(frames.pictures):
        assert error(whole(picture), _tensor(drawing(number))) < 2


def test_any_rectangle_can_be_read_in_any_order(video: Make, scratch: Path) -> None:
    pictures = open_frames(video(count=3), scratch).pictures
    wholes = [whole(picture) for picture in pictures]
    for number in (2, 0, 1):
        assert torch.equal(pictures[number].read(Box(5, 7, 11, 13)), wholes[number][:, 5:16, 7:20])


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_variable_rate_stays_what_it_is(video: Make, scratch: Path, name: str) -> None:
    milliseconds = [0, 40, 80, 200, 250, 500, 541]
    frames = open_frames(video(name, 7, milliseconds=milliseconds), scratch)
    assert frames.times == tuple(Fraction(time, 1000) for time in milliseconds)


@pytest.mark.parametrize(("aspect", "size"), [(Fraction(4, 3), (64, 128)), (Fraction(1, 2), (128, 96))])
def test_pixels_become_square(video: Make, scratch: Path, aspect: Fraction, size: tuple[int, int]) -> None:
    picture = open_frames(video(count=1, aspect=aspect), scratch).pictures[0]
    assert (picture.height, picture.width) == size
    ramps = _tensor(drawing(0, *size))[:2]  # the wave is another at another size
    assert error(whole(picture)[:2], ramps) < 2


def test_the_longer_side_is_scaled_to_the_resolution(video: Make, scratch: Path) -> None:
    picture = open_frames(video(count=1), scratch, resolution=48).pictures[0]
    assert (picture.height, picture.width) == (32, 48)


_ONE = 65_536
_TURNS = {
    "not": ((_ONE, 0, 0, _ONE), lambda pixels: pixels),
    "empty": ((0, 0, 0, 0), lambda pixels: pixels),
    "right": ((0, _ONE, -_ONE, 0), lambda pixels: np.rot90(pixels, -1)),
    "right, nearly": ((2, _ONE, -_ONE, 1), lambda pixels: np.rot90(pixels, -1)),
    "left": ((0, -_ONE, _ONE, 0), np.rot90),
    "half": ((-_ONE, 0, 0, -_ONE), lambda pixels: np.rot90(pixels, 2)),
    "mirrored": ((-_ONE, 0, 0, _ONE), lambda pixels: pixels[:, ::-1]),
    "upside down": ((_ONE, 0, 0, -_ONE), lambda pixels: pixels[::-1]),
}


def _turn(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Puts a matrix into the tkhd box (ISO 14496-12, 8.3.2)."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


@pytest.mark.parametrize("way", _TURNS)
def test_frames_come_upright(video: Make, scratch: Path, way: str) -> None:
    matrix, turned = _TURNS[way]
    path = video(count=1)
    _turn(path, *matrix)
    assert error(whole(open_frames(path, scratch).pictures[0]), _tensor(turned(drawing()))) < 2


def test_an_angle_is_refused(video: Make, scratch: Path) -> None:
    path = video(count=1)
    _turn(path, 46_341, 46_341, -46_341, 46_341)
    with pytest.raises(ImageError, match="shown at an angle"):
        open_frames(path, scratch)


def test_titles_in_another_encoding_do_no_harm(video: Make, scratch: Path) -> None:
    path = video("a.mkv", 1)
    data = path.read_bytes()
    assert b"Lavf" in data
    path.write_bytes(data.replace(b"Lavf", b"L\xe9vf"))
    assert len(open_frames(path, scratch)) == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"only words, and more of them", "is not a video that can be read"),
        (b"\0\0\0\x18ftypisom" + b"junk" * 99, "is damaged"),
        (b"\x1a\x45\xdf\xa3", "is damaged"),
        (b"\x1a\x45\xdf\xa3\x01", "is damaged"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, scratch: Path, data: bytes, words: str) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=rf"a\.mp4 {words}"):
        open_frames(path, scratch)
    assert not list(scratch.iterdir())


def test_a_playlist_is_refused_whatever_its_name(video: Make, tmp_path: Path, scratch: Path) -> None:
    path = tmp_path / "list.mp4"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{video()}\n#EXT-X-ENDLIST\n")
    with pytest.raises(ImageError, match="is not a video that can be read"):
        open_frames(path, scratch)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
@pytest.mark.parametrize("part", [0.5, 0.7, 0.95])
def test_a_truncated_file_is_refused(video: Make, scratch: Path, name: str, part: float) -> None:
    path = video(name, 12, codec="mpeg4", container_options={"movflags": "faststart"})
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(ImageError, match=r"is truncated|is damaged"):
        open_frames(path, scratch)
    assert not list(scratch.iterdir())


def test_a_damaged_file_is_refused(video: Make, scratch: Path) -> None:
    path = video(count=12, container_options={"movflags": "faststart"})
    data = bytearray(path.read_bytes())
    at = data.index(b"mdat") + 900
    data[at:] = b"\xff" * len(data[at:])  # little damage is concealed by the decoder
    path.write_bytes(data)
    with pytest.raises(ImageError, match="is damaged"):
        open_frames(path, scratch)
    assert not list(scratch.iterdir())


def test_an_interlaced_video_is_refused(video: Make, scratch: Path) -> None:
    with pytest.raises(ImageError, match=r"is interlaced: deinterlace it first"):
        open_frames(video(options={"x264-params": "tff=1"}), scratch)


def test_a_codec_that_is_hardly_tested_is_refused(video: Make, scratch: Path) -> None:
    with pytest.raises(ImageError, match=r"holds wmv2, which is not read \(only h264,"):
        open_frames(video("a.avi", codec="wmv2"), scratch)


def test_sound_alone_is_no_video(video: Make, tmp_path: Path, scratch: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(video(sound="aac"))) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    with pytest.raises(ImageError, match="has no video in it"):
        open_frames(path, scratch)


def test_limits_are_kept(video: Make, scratch: Path) -> None:
    path = video(count=3)
    with pytest.raises(ImageError, match=r"has frames of 0.006144 megapixels \(96×64\), more than the limit"):
        open_frames(path, scratch, max_pixels=6143)
    with pytest.raises(ImageError, match="has more than 2 frames: cut it"):
        open_video(path, scratch, most_frames=2)
    assert not list(scratch.iterdir())
    assert len(open_video(path, scratch, max_pixels=6144, most_frames=3)) == 3


def test_square_pixels_are_held_to_the_limit_too(video: Make, scratch: Path) -> None:
    with pytest.raises(ImageError, match="megapixels"):
        open_frames(video(count=1, aspect=Fraction(4, 3)), scratch, max_pixels=6144)


def test_scratch_that_cannot_be_written_is_named(video: Make, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"source\.mp4 cannot be unpacked into the scratch folder .*nowhere"):
        open_frames(video(), tmp_path / "nowhere")


def test_scratch_that_is_full_is_named(video: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    (tmp_path / "full").mkdir()
    plain = Path.open
    monkeypatch.setattr(
        Path, "open", lambda self, *mode, **rest: plain(full if self.suffix == ".rgb" else self, *mode, **rest)
    )
    with pytest.raises(ImageError, match=r"source\.mp4 needs 0.0184 MB a frame of scratch space, and after 0 frames"):
        open_frames(video(), tmp_path / "full")


def test_a_change_of_size_is_told(tmp_path: Path) -> None:
    from ift.frames.raw_frames import RawFile

    with (
        pytest.raises(ImageError, match="changes its size from 96×64 to 96×32 at frame 2"),
        RawFile(tmp_path / "a.rgb") as raw,
    ):
        raw.append(drawing())
        raw.append(drawing(height=32))
    assert not list(tmp_path.iterdir())

"""One file for a run: checked, overruled by flags, explained, and written into the output so that it gives the same."""

import re
from dataclasses import asdict

import pytest
import tomlkit
import typer
from typer.testing import CliRunner

from jobs import stylize
from jobs.config import SECTIONS, building, in_force, read_config, resting, template, with_flags_of_config
from jobs.errors import ConfigError
from jobs.flags import Planning, running
from jobs.stylize import app, context_of
from tests.jobs.pairs import write_manifest


def write(folder, text, name="run.toml"):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


def running_of(*arguments):
    params = dict(context_of("run", [str(word) for word in arguments]).params)
    del params["config"]
    return running(**params)


def options_of(planning: Planning):
    return {name: value for name, value in planning.options.items() if value is not None}


def test_the_file_gives_what_flags_do_not_and_its_paths_are_relative_to_it(tmp_path):
    path = write(
        tmp_path / "here",
        """
        [run]
        manifest = "pairs.csv"
        output = "../out"
        allow_prefix = ["pictures", "s3://bucket/more", "/mnt/all"]
        weights = "w.safetensors"
        log_json = "run.jsonl"
        preset = "photo"
        resolution = 512
        tile = 256
        whole_megapixels = 9
        max_failed = 1
        keep_colours = false
        centred = false
        lambda = [1e4, 1e4, 1e3, 100]
        strength = 3
        method = ["adain", "wct", "ift", "avatar"]
        n_upd = "10,10,10,5"
        """,
    )
    made = running_of("--config", path, "--preset", "artistic", "--quality", 80, "--whole-megapixels", 2.5)
    planning = made.planning
    assert (planning.preset, planning.resolution, planning.quality) == ("artistic", 512, 80)
    assert (planning.tile, planning.whole_megapixels) == (256, 2.5)
    assert planning.manifest == str(tmp_path / "here/pairs.csv")
    assert made.output == str(tmp_path / "here/../out")
    assert made.sources.allow_prefix == (str(tmp_path / "here/pictures"), "s3://bucket/more", "/mnt/all")
    assert made.sources.weights == str(tmp_path / "here/w.safetensors") and made.sources.vgg19 is None
    assert made.max_failed == 1 and made.working.log_json == str(tmp_path / "here/run.jsonl")
    options = options_of(planning)
    assert options.pop("lambda_").split(",") == ["10000.0", "10000.0", "1000.0", "100"]
    assert options == {
        "keep_colours": False, "centred": False, "strength": "3", "method": "adain,wct,ift,avatar",
        "n_upd": "10,10,10,5",
    }  # fmt: skip


def test_every_flag_of_run_is_a_key_and_every_key_a_flag():
    names = {param.name for param in typer.main.get_command(app).commands["run"].params}
    assert {key.parameter for key in SECTIONS["run"].keys.values()} == names - {"config", "help"}


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[run]\nresolutoin = 512", r"\[run\] has no key resolutoin: did you mean resolution\?"),
        ("[run]\nkeep-colours = true", "did you mean keep_colours"),
        ("[run]\nzebra = 1", "has no key zebra; `python -m jobs.stylize config` tells every key"),
        ("[run]\nseed = 1", r"\[run\] has no key seed: seed belongs to \[build\]"),
        ("[runs]\nresolution = 512", r"no table \[runs\]: did you mean \[run\]"),
        ("resolution = 512", r"resolution stands outside of all tables: put it below \[run\]"),
        ("run = 3", r"no table \[run\]"),
        ("[run]\nresolution = '512'", 'resolution = "512": it must be a whole number from 0 on'),
        ("[run]\nresolution = 512.5", "resolution = 512.5: it must be a whole number"),
        ("[run]\nresolution = true", "resolution = true: it must be a whole number"),
        ("[run]\nquality = 101", "quality = 101: it must be a whole number from 1 to 100"),
        ("[run]\ntile = 64", "tile = 64: it must be a whole number from 128 to 8192"),
        ("[run]\nwhole_megapixels = -1", "whole_megapixels = -1: it must be a number from 0 on"),
        ("[run]\nmax_failed = nan", "max_failed = nan: it must be a number from 0 to 1"),
        ("[run]\nkeep_colours = 'yes'", 'keep_colours = "yes": it must be true or false'),
        ("[run]\nmanifest = 5", "manifest = 5: it must be text"),
        ("[run]\nmanifest = ''", "it must be text"),
        ("[run]\nallow_prefix = 'a'", 'allow_prefix = "a": it must be a list of texts'),
        ("[run]\nstrength = ['a']", "it must be text, a number, or a list of four"),
        ("[run]\nlambda = [true]", r"lambda = \[true\]: it must be text, a number, or a list of four"),
        ("[run]\nmethod = 3", "method = 3: it must be text, or a list of four"),
        ("[run.output]\na = 1", "output = a table: it must be text"),
        ("[night]\nretry = 1", r"\[night\] retry = 1: it must be true or false"),
        ("[build]\nseed = -1", r"\[build\] seed = -1: it must be a whole number from 0 on"),
        ("[run]\nresolution = ", "is no TOML: .*line 2"),
        ("[run]\npreset = 'a'\npreset = 'b'", "is no TOML"),
    ],
)
def test_what_means_nothing_is_refused_with_the_key_and_the_way_out(tmp_path, text, hint):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=hint) as caught:
        read_config(str(path))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("command", ["run", "plan", "retry", "verify", "status"])
def test_a_mistake_in_the_file_is_one_line_for_every_command(tmp_path, command):
    path = write(tmp_path, "[run]\noutptu = 'a'")
    result = CliRunner().invoke(app, [command, "--config", str(path)])
    assert result.exit_code == 2
    assert result.stderr == f"error: {path}: [run] has no key outptu: did you mean output?\n"


def test_a_file_that_is_not_there_is_a_mistake(tmp_path):
    result = CliRunner().invoke(app, ["run", "--config", str(tmp_path / "no.toml")])
    assert result.exit_code == 2 and "no.toml does not exist" in result.stderr


def test_the_template_is_a_file_that_changes_nothing_and_its_defaults_are_those_of_the_flags(tmp_path):
    result = CliRunner().invoke(app, ["config"])
    assert result.exit_code == 0 and result.stdout == template()
    assert tomlkit.parse(template()).unwrap() == {"build": {}, "run": {}, "night": {}}
    lines = template().splitlines()
    for section, known in SECTIONS.items():
        start = lines.index(f"[{section}]")
        ours = lines[start:]
        for key in known.keys.values():
            assert any(line == f"# {key.name} =" or line.startswith(f"# {key.name} = ") for line in ours)
    given = "\n".join(re.sub(r"^# (\w+ = .+)$", r"\1", line) for line in lines)
    path = write(tmp_path, given)
    needed = ("--manifest", "m.csv", "--output", "out")
    assert running_of("--config", path, *needed) == running_of(*needed)
    assert resting(**read_config(str(path)).complete("night")) == resting()


FLAGS = (
    "--manifest", "m.csv", "--output", "out", "--preset", "photo", "--resolution", 0, "--style-resolution", 64,
    "--layout", "webdataset", "--tile", 512, "--whole-megapixels", 2, "--strength", "1,2,3,4", "--gate", 0.25,
    "--style-colours", "--uncentred",
    "--allow-prefix", "a\"b", "--allow-prefix", "s3://c/d", "--workers", 3, "--gpus-per-worker", 0, "--max-failed", 1,
    "--row-timeout", 1e3, "--address", "auto", "--log-json", "-",
)  # fmt: skip


def test_what_was_in_force_gives_the_same_run_again_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = context_of("run", [str(word) for word in FLAGS]).params
    text = in_force({"run": first})
    path = tmp_path / "elsewhere" / "config.toml"
    path.parent.mkdir()
    path.write_bytes(text)
    monkeypatch.chdir("/")
    again = running_of("--config", path)
    assert in_force({"run": context_of("run", ["--config", str(path)]).params}) == text
    monkeypatch.chdir(tmp_path)
    expected = running_of(*FLAGS)
    assert again.output == str(tmp_path / "out") and again.planning.manifest == str(tmp_path / "m.csv")
    assert again.sources.allow_prefix == (str(tmp_path / 'a"b'), "s3://c/d")
    assert again.working == expected.working and again.max_failed == expected.max_failed
    ours, theirs = asdict(again.planning), asdict(expected.planning)
    assert {**ours, "manifest": None} == {**theirs, "manifest": None}


def test_a_run_leaves_its_configuration_in_the_output(tmp_path, monkeypatch):
    """Without the work itself: nothing is missing once the run's own part is replaced by nothing."""
    manifest = write_manifest(tmp_path, 2, 1)
    config = write(tmp_path, "[run]\nmanifest = 'manifest.csv'\noutput = 'out'\nresolution = 64\nshard_size = 1\n")
    planned = CliRunner().invoke(app, ["plan", "--config", str(config)])
    assert planned.exit_code == 0 and "2 pairs in 2 shards" in planned.stdout
    assert not (tmp_path / "out/config.toml").exists()
    monkeypatch.setattr(stylize, "run_missing", lambda job: 143)
    stopped = CliRunner().invoke(app, ["run", "--config", str(config), "--workers", "2"])
    assert stopped.exit_code == 143, stopped.output
    said = tomlkit.parse((tmp_path / "out/config.toml").read_text()).unwrap()["run"]
    assert said["manifest"] == str(manifest) and said["output"] == str(tmp_path / "out")
    assert (said["resolution"], said["shard_size"], said["workers"], said["preset"]) == (64, 1, 2, "artistic")
    again = CliRunner().invoke(app, ["plan", "--config", str(tmp_path / "out/config.toml")])
    assert again.exit_code == 0 and "2 pairs in 2 shards" in again.stdout


def test_the_keys_of_build_are_those_of_a_pairing(tmp_path):
    path = write(
        tmp_path, "[build]\ncontents = ['c', 's3://b/c']\nstyles = ['/s']\nstyles_per_content = 3\nunique = true"
    )
    file = read_config(str(path))
    pairing = building(**file.complete("build"))
    assert pairing.contents == (str(tmp_path / "c"), "s3://b/c") and pairing.styles == ("/s",)
    assert asdict(pairing) == asdict(type(pairing)(pairing.contents, pairing.styles, styles_per_content=3, unique=True))
    with pytest.raises(ConfigError, match=r"\[build\] lacks contents and styles"):
        read_config(str(write(tmp_path, "[build]\nseed = 1"))).complete("build")


def travelling(command, working_dir):
    name, *arguments = map(str, command)
    return with_flags_of_config(arguments, context_of(name, arguments), str(working_dir))


def test_on_the_way_to_a_cluster_a_local_file_becomes_flags(tmp_path, monkeypatch):
    path = write(
        tmp_path / "nights",
        "[run]\nmanifest = 'm.csv'\noutput = 's3://b/o'\npreset = 'photo'\ncentred = false\nstrength = [1, 2, 3, 4]\n"
        "allow_prefix = ['/mnt/a', 's3://b']\nresolution = 512\nworkers = 4\n",
    )
    sent = travelling(["run", "--config", path, "--resolution", 64], tmp_path)
    assert "--config" not in sent and sent[-2:] == ["--resolution", "64"] and sent.count("--resolution") == 1
    monkeypatch.chdir(tmp_path)
    there = running_of(*sent)
    assert there.planning.manifest == "nights/m.csv"
    monkeypatch.chdir("/")
    here = running_of("--config", path, "--resolution", 64)
    assert asdict(there.planning) == {**asdict(here.planning), "manifest": "nights/m.csv"}
    assert (there.sources, there.working, there.output) == (here.sources, here.working, "s3://b/o")
    verify = travelling(["verify", f"--config={path}", "--repair"], tmp_path)
    assert verify[-1] == "--repair" and "--manifest" not in verify and "s3://b/o" in verify
    assert travelling(["verify", "--output", "s3://b/o"], tmp_path) == ["--output", "s3://b/o"]


def test_what_would_not_travel_is_refused(tmp_path):
    path = write(tmp_path / "nights", "[run]\nmanifest = '../m.csv'\noutput = 's3://b/o'\n")
    with pytest.raises(ConfigError, match=r"manifest = '../m.csv' lies outside of --working-dir"):
        travelling(["run", "--config", path], tmp_path / "nights")


def test_a_relative_output_in_the_file_is_refused_on_the_way_to_a_cluster(tmp_path):
    from jobs import submit

    path = write(tmp_path, "[run]\nmanifest = 'm.csv'\noutput = 'out'\n")
    arguments = ["run", "--address", "http://127.0.0.1:1", "--working-dir", str(tmp_path), "--", "run", "--config"]
    portable = pytest.raises(Exception, match="--output out: on the cluster a relative path")
    with portable:
        submit._portable(["run", "--config", str(path)], str(tmp_path))
    result = CliRunner().invoke(submit.app, [*arguments, str(path)])
    assert result.exit_code == 2

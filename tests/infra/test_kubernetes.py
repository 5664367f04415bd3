"""The files below infra/kubernetes agree with one another, with the project, and with Ray's own reading of them."""

import importlib.util
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import tomlkit
import typer
import yaml
from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr

from jobs.config import read_config
from tests.infra.validators import INFRA, ROOT

FOLDER = INFRA / "kubernetes"
PROJECT = tomlkit.parse((ROOT / "pyproject.toml").read_text())["project"]


def load(name):
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


RAYJOB = load("rayjob.yaml")[0]
CLUSTER = RAYJOB["spec"]["rayClusterSpec"]
CRON = load("cronjob.yaml")[0]["spec"]
NIGHT = CRON["jobTemplate"]["spec"]


def pods():
    for group in (CLUSTER["headGroupSpec"], *CLUSTER["workerGroupSpecs"]):
        yield group, group["template"]["spec"]


def parse(command):
    """What a command line means to the program that it names; raises for options that there are not."""
    python, m, module, *words = shlex.split(command)
    assert (python, m) == ("python", "-m")
    if importlib.util.find_spec(module).submodule_search_locations:
        module += ".__main__"
    program = typer.main.get_command(importlib.import_module(module).app)
    if words[0] in getattr(program, "commands", {}):
        program, words = program.commands[words[0]], words[1:]
    return program.make_context(module, words, resilient_parsing=False).params


def gib(quantity):
    number, unit = re.fullmatch(r"(\d+)(Gi|Mi)", quantity).groups()
    return int(number) / {"Gi": 1, "Mi": 1024}[unit]


def test_the_fleet_is_what_the_cluster_can_grow_to():
    asked = parse(RAYJOB["spec"]["entrypoint"])
    night = read_config(str(FOLDER / "nightly.toml")).values("run")
    (group,) = CLUSTER["workerGroupSpecs"]
    gpus = float(group["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"])
    assert (asked["workers"], asked["gpus_per_worker"]) == (group["maxReplicas"], gpus)
    assert (night["workers"], night["gpus_per_worker"]) == (group["maxReplicas"], gpus)


def test_the_nights_run_the_nights_program():
    script = (FOLDER / "nightly.sh").read_text()
    patched = yaml.safe_load(re.search(r"^patch='(.*)'$", script, re.MULTILINE)[1])
    ray_cron = load("raycronjob.yaml")[0]["spec"]
    command = patched["spec"]["entrypoint"]
    parse(command)
    assert command == ray_cron["jobTemplate"]["entrypoint"]
    (mount,) = CLUSTER["headGroupSpec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert shlex.split(command)[-1] == f"{mount['mountPath']}/nightly.toml"


def test_the_raycronjob_has_the_spec_of_the_rayjob():
    ray_cron = load("raycronjob.yaml")[0]["spec"]
    assert {**ray_cron["jobTemplate"], "entrypoint": None} == {**RAYJOB["spec"], "entrypoint": None}
    assert (ray_cron["schedule"], ray_cron["timeZone"]) == (CRON["schedule"], CRON["timeZone"])


def test_nights_do_not_meet():
    assert CRON["concurrencyPolicy"] == "Forbid"
    assert RAYJOB["spec"]["activeDeadlineSeconds"] < NIGHT["activeDeadlineSeconds"] < 24 * 3600
    assert CRON["startingDeadlineSeconds"] >= 3600


def test_ray_grows_the_cluster_from_nothing():
    made = _derive_autoscaling_config_from_ray_cr(
        {"apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": RAYJOB["metadata"], "spec": CLUSTER}
    )
    head, gpu = (made["available_node_types"][name] for name in ("headgroup", "gpu"))
    assert head["resources"]["CPU"] == 0
    assert "GPU" not in head["resources"]
    assert gpu["resources"]["GPU"] == 1
    assert gpu["resources"]["CPU"] >= 1
    assert (gpu["min_workers"], gpu["max_workers"]) == (0, 8)


def test_the_memory_is_what_was_measured():
    told = re.search(r"2048² [\d.]+ / ([\d.]+) GB", (ROOT / "docs" / "speed.md").read_text())[1]
    ray_gb = 2.0  # raylet, agents, and what is decoded ahead
    for group, pod in pods():
        resources = pod["containers"][0]["resources"]
        assert resources["requests"]["memory"] == resources["limits"]["memory"]
        store_gb = int(group["rayStartParams"]["object-store-memory"]) / 1e9
        process_gb = float(told) if "groupName" in group else 0.9
        assert gib(resources["requests"]["memory"]) * 1.074 > process_gb + store_gb + ray_gb


def test_versions_are_those_of_image_and_project():
    pins = dict(re.findall(r"^([\w-]+)==(.+)$", (INFRA / "requirements.txt").read_text(), re.MULTILINE))
    assert CLUSTER["rayVersion"] == pins["ray"]
    for _, pod in pods():
        assert pod["containers"][0]["image"] == f"CHANGE-ME-REGISTRY/ift:{PROJECT['version']}"


def test_whoever_is_named_is_there():
    names = {(each["kind"], each["metadata"]["name"]) for each in load("access.yaml")}
    kustomization = load("kustomization.yaml")[0]
    maps = {each["name"]: each["files"] for each in kustomization["configMapGenerator"]}
    night = NIGHT["template"]["spec"]
    for pod in (*(pod for _, pod in pods()), night):
        assert ("ServiceAccount", pod["serviceAccountName"]) in names
        for volume in pod.get("volumes", []):
            assert volume["configMap"]["name"] in maps
    (failure, _) = NIGHT["podFailurePolicy"]["rules"]
    assert failure["onExitCodes"]["containerName"] == night["containers"][0]["name"]
    assert Path(night["containers"][0]["command"][-1]).name in maps["ift-nightly"]


def test_no_pod_is_root():
    user = re.search(r"^USER (\d+):(\d+)$", (INFRA / "Dockerfile").read_text(), re.MULTILINE)
    for _, pod in pods():
        context = pod["securityContext"]
        assert context["runAsNonRoot"]
        assert (context["runAsUser"], context["runAsGroup"]) == (int(user[1]), int(user[2]))
        assert context["runAsUser"] > 0


KUBECTL = """#!/bin/sh
# A cluster that has one RayJob: its state is the first line of `states`, and the next one at the next look.
echo "$*" >> calls
case "$*" in
"get rayjob ift-nightly --ignore-not-found --output name") [ -s states ] && echo rayjob.ray.io/ift-nightly || true ;;
"get rayjob"*) head -n 1 states ;;
"delete rayjob"*) : > states ;;
"create"*) cat > created; printf '\\nRunning\\n%s\\n' "$END" > states ;;
"patch --local"*) echo patched ;;
esac
"""
SLEEP = "#!/bin/sh\nsed -i 1d states\n"


@pytest.mark.parametrize(
    ("before", "end", "code", "created", "deleted"),
    [
        ("", "Complete", 0, True, False),  # the first night
        ("", "Failed", 3, True, False),
        ("Complete\n", "Complete", 0, True, True),  # yesterday's has ended
        ("Failed\n", "Complete", 0, True, True),
        ("Running\nRunning\nComplete\n", "Failed", 0, False, False),  # goes on: the pod that waited for it has died
        ("\nRunning\nFailed\n", "Complete", 3, False, False),  # has hardly begun
    ],
)
def test_a_night_starts_one_rayjob_or_follows_it(tmp_path, before, end, code, created, deleted):
    for name, program in (("kubectl", KUBECTL), ("sleep", SLEEP)):
        (tmp_path / name).write_text(program)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "states").write_text(before)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "END": end}
    told = subprocess.run(["sh", FOLDER / "nightly.sh"], cwd=tmp_path, env=environment, check=False, timeout=60)
    calls = (tmp_path / "calls").read_text()
    assert told.returncode == code
    assert (tmp_path / "created").exists() == created
    assert ("delete rayjob ift-nightly" in calls) == deleted


def test_a_night_may_do_what_it_does():
    script = (FOLDER / "nightly.sh").read_text()
    (role,) = (each for each in load("access.yaml") if each["kind"] == "Role")
    (rule,) = role["rules"]
    used = set(re.findall(r"kubectl (\w+)", script)) - {"patch"}  # --local
    assert used == set(rule["verbs"])

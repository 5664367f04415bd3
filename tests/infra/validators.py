"""The validator of each file below infra/: it gets the file's text, and raises for what is wrong with it."""

import json
import re
import subprocess
import sysconfig
from pathlib import Path

import kubernetes_validate
import yaml
from jsonschema import validate as match
from packaging.requirements import Requirement

from jobs.config import read_config
from tests.infra import aws, kuberay

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"

_NAMES = {"type": "array", "items": {"type": "string"}}
_KUSTOMIZATION = {
    "type": "object",
    "properties": {
        "apiVersion": {"const": "kustomize.config.k8s.io/v1beta1"},
        "kind": {"const": "Kustomization"},
        "namespace": {"type": "string"},
        "resources": _NAMES,
        "configMapGenerator": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "files": _NAMES},
                "additionalProperties": False,
            },
        },
        "generatorOptions": {
            "type": "object",
            "properties": {"disableNameSuffixHash": {"type": "boolean"}},
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}


def _lint(program, *arguments):
    def check(text):
        command = [Path(sysconfig.get_path("scripts")) / program, *arguments, "-"]
        told = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stdout + told.stderr

    return check


def _kubernetes(text):
    for resource in yaml.safe_load_all(text):
        if resource["apiVersion"] == "ray.io/v1":
            kuberay.validate(resource)
        else:
            kubernetes_validate.validate(resource, kuberay.KUBERNETES, strict=True)


def _kustomization(text):
    made = yaml.safe_load(text)
    match(made, _KUSTOMIZATION)
    for name in made["resources"] + [name for each in made["configMapGenerator"] for name in each["files"]]:
        assert (INFRA / "kubernetes" / name).is_file(), f"there is no {name}"


def _requirements(text):
    for line in text.splitlines():
        if not line.startswith("#"):
            pin = Requirement(line)
            assert [each.operator for each in pin.specifier] == ["=="], f"{line} is not pinned"


def _ignores(text):
    let_in = [line[1:] for line in text.splitlines() if line.startswith("!")]
    for name in let_in:
        assert (ROOT / name).exists(), f"there is no {name}"
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (INFRA / "Dockerfile").read_text(), re.MULTILINE)
    assert sorted(let_in) == sorted(" ".join(copied).split())


def _config(text, tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(text)
    read_config(str(path))


VALIDATORS = {
    "Dockerfile": _lint("hadolint", "--failure-threshold", "info"),
    "Dockerfile.dockerignore": _ignores,
    "requirements.txt": _requirements,
    "kubernetes/namespace.yaml": _kubernetes,
    "kubernetes/access.yaml": _kubernetes,
    "kubernetes/rayjob.yaml": _kubernetes,
    "kubernetes/cronjob.yaml": _kubernetes,
    "kubernetes/raycronjob.yaml": _kubernetes,
    "kubernetes/kustomization.yaml": _kustomization,
    "kubernetes/nightly.sh": _lint("shellcheck"),
    "kubernetes/nightly.toml": _config,
    "aws/cluster.yaml": lambda text: aws.check_cluster(yaml.safe_load(text)),
    "aws/s3-policy.json": lambda text: aws.check_policy(json.loads(text)),
    "aws/head-policy.json": lambda text: aws.check_policy(json.loads(text)),
    "aws/trust-service-account.json": lambda text: aws.check_policy(json.loads(text)),
    "aws/trust-ec2.json": lambda text: aws.check_policy(json.loads(text)),
    "aws/lifecycle.json": lambda text: aws.check_request(
        "s3", "PutBucketLifecycleConfiguration", {"Bucket": "bucket", "LifecycleConfiguration": json.loads(text)}
    ),
}

"""Every file below infra/ is accepted by its validator, and refused with a slip of the keyboard in it."""

import inspect
import re

import pytest

from tests.infra.validators import INFRA, VALIDATORS

# What of a file is misspelt, how, and what its validator must say.
TYPOS = [
    ("Dockerfile", "RUN python3", "RUNN python3", "missing whitespace"),
    ("Dockerfile", "13.0.3-base-ubuntu24.04 AS builder", "latest AS builder", "DL3007"),
    ("Dockerfile.dockerignore", "!jobs", "!jbos", "jbos"),
    ("requirements.txt", "ray==", "ray=", "ray="),
    ("requirements.txt", "torch==", "torch>=", "torch>="),
    ("kubernetes/namespace.yaml", "labels:", "lables:", "lables"),
    ("kubernetes/access.yaml", "apiGroups:", "apiGroup:", "apiGroup"),
    ("kubernetes/access.yaml", "annotations:", "annotation:", "annotation"),
    ("kubernetes/rayjob.yaml", "workerGroupSpecs:", "workerGroupSpec:", "workerGroupSpec"),
    ("kubernetes/rayjob.yaml", "minReplicas:", "minReplica:", "minReplica"),
    ("kubernetes/rayjob.yaml", "K8sJobMode", "K8SJobMode", "K8SJobMode"),
    ("kubernetes/rayjob.yaml", "tolerations:", "toleration:", "toleration"),
    ("kubernetes/rayjob.yaml", "activeDeadlineSeconds: 82800", 'activeDeadlineSeconds: "82800"', "82800"),
    ("kubernetes/cronjob.yaml", "concurrencyPolicy:", "concurrencyPolicyy:", "concurrencyPolicyy"),
    ("kubernetes/cronjob.yaml", "onExitCodes", "onExitCode", "onExitCode"),
    ("kubernetes/raycronjob.yaml", "timeZone:", "timezone:", "timezone"),
    ("kubernetes/raycronjob.yaml", "rayClusterSpec:", "rayclusterSpec:", "rayclusterSpec"),
    ("kubernetes/kustomization.yaml", "configMapGenerator:", "configMapGenerators:", "configMapGenerators"),
    ("kubernetes/kustomization.yaml", "- cronjob.yaml", "- cronjobs.yaml", "cronjobs"),
    ("kubernetes/nightly.sh", "done\n", "doen\n", "SC1"),
    ("kubernetes/nightly.sh", '"$now" in', '"$nwo" in', "nwo"),
    ("kubernetes/nightly.toml", "styles_per_content", "style_per_content", "style_per_content"),
    ("kubernetes/nightly.toml", "[run]", "[runs]", "runs"),
    ("aws/cluster.yaml", "idle_timeout_minutes", "idle_timeout_minute", "idle_timeout_minute"),
    ("aws/cluster.yaml", "min_workers", "min_worker", "min_worker"),
    ("aws/cluster.yaml", "InstanceType: g6", "InstanceTypo: g6", "InstanceTypo"),
    ("aws/cluster.yaml", "g6.xlarge", "g6.xlagre", "g6.xlagre"),
    ("aws/cluster.yaml", "MarketType: spot", "MarketType: spott", "spott"),
    ("aws/s3-policy.json", "s3:GetObject", "s3:GetObjectt", "s3:GetObjectt"),
    ("aws/s3-policy.json", "arn:aws:s3:::CHANGE-ME-BUCKET/ift/*", "arn:aws:s3::CHANGE-ME-BUCKET/ift/*", "knows no"),
    ("aws/s3-policy.json", "s3:prefix", "s3:prefixx", "s3:prefixx"),
    ("aws/s3-policy.json", '"Effect"', '"Efect"', "Efect"),
    ("aws/head-policy.json", "ec2:RunInstances", "ec2:RunInstance", "ec2:RunInstance"),
    ("aws/head-policy.json", "iam:PassedToService", "iam:PassedToServices", "iam:PassedToServices"),
    ("aws/trust-service-account.json", "WithWebIdentity", "WithWebIdentiy", "WithWebIdentiy"),
    ("aws/trust-service-account.json", "OIDC:sub", "OIDC:sbu", "sbu"),
    ("aws/trust-ec2.json", '"Principal"', '"Principle"', "Principle"),
    ("aws/lifecycle.json", "DaysAfterInitiation", "DayAfterInitiation", "DayAfterInitiation"),
    ("aws/lifecycle.json", "Enabled", "Enable", "Enable"),
]


def check(name, text, tmp_path):
    validator = VALIDATORS[name]
    if "tmp_path" in inspect.signature(validator).parameters:
        validator(text, tmp_path)
    else:
        validator(text)


def test_every_file_has_a_validator_and_a_typo():
    ours = (path for path in INFRA.rglob("*") if path.is_file() and "observability" not in path.parts)
    names = {path.relative_to(INFRA).as_posix() for path in ours} - {"README.md"}
    assert names == set(VALIDATORS) == {typo[0] for typo in TYPOS}


@pytest.mark.parametrize("name", VALIDATORS)
def test_the_file_is_valid(name, tmp_path):
    check(name, (INFRA / name).read_text(), tmp_path)


@pytest.mark.parametrize(("name", "right", "wrong", "told"), TYPOS)
def test_a_typo_is_caught(name, right, wrong, told, tmp_path):
    text = (INFRA / name).read_text()
    assert right in text
    with pytest.raises(Exception, match=re.escape(told)):
        check(name, text.replace(right, wrong, 1), tmp_path)

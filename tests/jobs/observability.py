"""What the files of `infra/observability` ask Prometheus for."""

import json
import re
from pathlib import Path

import yaml

FOLDER = Path(__file__).parents[2] / "infra/observability"
ALERTS, DASHBOARD, CONFIG = FOLDER / "alerts.yml", FOLDER / "grafana-dashboard.json", FOLDER / "prometheus.yml"

_SERIES = re.compile(r"\b(ray_ift_\w+)(?:\{([^}]*)\})?")
_LABEL = re.compile(r"(\w+)\s*(?:=~|!=|=)\s*\"")
_GROUPING = re.compile(r"\bby \(([^)]*)\)")


def panels():
    return json.loads(DASHBOARD.read_text())["panels"]


def dashboard_queries():
    """By the panel's title."""
    return [(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]]


def alert_queries():
    """By the alert's name."""
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    return [(rule["alert"], rule["expr"]) for rule in group["rules"]]


def selectors(query):
    """Each series that a query names, as it stands there."""
    return [match.group(0) for match in _SERIES.finditer(query)]


def unknown_to(metrics, query):
    """What a query names that no metric has: series, and labels that are no tag of theirs."""
    tags = {series: {*metric.tag_keys, "le"} for metric in metrics for series in metric.series}
    found = [(match[1], _LABEL.findall(match[2] or "")) for match in _SERIES.finditer(query)]
    grouped = {label.strip() for labels in _GROUPING.findall(query) for label in labels.split(",")}
    wrong = {name for name, _ in found if name not in tags}
    wrong |= {label for name, labels in found for label in labels if name in tags and label not in tags[name]}
    common = set.intersection(*(tags.get(name, set()) for name, _ in found)) if found else set()
    return wrong | (grouped - common if not wrong else set())


def _objects(required, **properties):
    """A JSON schema: an object of just these keys, all of them `required` that are named so."""
    return {"type": "object", "required": required.split(), "properties": properties, "additionalProperties": False}


_TEXT, _NUMBER, _FLAG = {"type": "string", "minLength": 1}, {"type": "integer"}, {"type": "boolean"}
_SOURCE = _objects("type uid", type={"const": "prometheus"}, uid={"const": "${datasource}"})
_LOOK = _objects(
    "fillOpacity stacking", fillOpacity=_NUMBER, stacking=_objects("mode", mode={"enum": ["normal", "percent", "none"]})
)
_PANEL = _objects(
    "id type title datasource gridPos fieldConfig targets",
    id=_NUMBER,
    type={"enum": ["timeseries", "stat"]},
    title=_TEXT,
    description=_TEXT,
    datasource=_SOURCE,
    gridPos=_objects("x y w h", x=_NUMBER, y=_NUMBER, w=_NUMBER, h=_NUMBER),
    fieldConfig=_objects(
        "defaults overrides",
        defaults=_objects(
            "unit min noValue",
            unit={"enum": ["short", "s", "percentunit", "Bps"]},
            min=_NUMBER,
            noValue=_TEXT,
            custom=_LOOK,
        ),
        overrides={"type": "array", "maxItems": 0},
    ),
    targets={
        "type": "array",
        "minItems": 1,
        "items": _objects("refId expr legendFormat", refId={"enum": ["A", "B"]}, expr=_TEXT, legendFormat=_TEXT),
    },
)
_VARIABLE = _objects(
    "name label type query",
    name={"enum": ["datasource", "run"]},
    label=_TEXT,
    type={"enum": ["datasource", "query"]},
    datasource=_SOURCE,
    definition=_TEXT,
    query={"anyOf": [{"const": "prometheus"}, _objects("query refId", query=_TEXT, refId=_TEXT)]},
    refresh={"const": 2},
    sort=_NUMBER,
    multi=_FLAG,
    includeAll=_FLAG,
    allValue=_TEXT,
    current=_objects("text value", text=_TEXT, value=_TEXT),
)
DASHBOARD_SCHEMA = _objects(
    "title uid schemaVersion templating panels",
    title=_TEXT,
    uid=_TEXT,
    tags={"type": "array", "items": _TEXT},
    schemaVersion=_NUMBER,
    editable=_FLAG,
    refresh={"type": "string", "pattern": "^[0-9]+[smh]$"},
    time=_objects("from to", **{"from": _TEXT, "to": {"const": "now"}}),
    templating=_objects("list", list={"type": "array", "minItems": 2, "items": _VARIABLE}),
    panels={"type": "array", "items": _PANEL},
)
"""The part of Grafana's dashboard model that ours uses, and nothing else, so that a slip of the pen is no option."""

"""A page of HTML with all that it needs inside, and a policy that forbids it every network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

_TEMPLATES = "templates"
_STYLE, _SCRIPT = "page.css", "page.js"


def render_page(package: str, template: str, scripts: Sequence[str], **context: Any) -> str:
    """Renders a template; whatever comes from outside is escaped.

    Args:
        package: whose folder `templates` has the template and the scripts; it extends `page.html.j2`.
        template: its name.
        scripts: names of the scripts that follow the common one.
        context: what the template shows. `data` is embedded as JSON.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    loaders = [PackageLoader(name, _TEMPLATES) for name in dict.fromkeys((package, __package__ or ""))]
    environment = Environment(
        loader=ChoiceLoader(loaders), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["figure"] = figure
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    css = _text(__package__ or "", _STYLE)
    js = "\n".join([_text(__package__ or "", _SCRIPT), *(_text(package, name) for name in scripts)])
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(css)}'; script-src '{_hash(js)}';"
        " base-uri 'none'; form-action 'none'"
    )
    # Markup: these two are our own files, and the policy lets nothing else run.
    return environment.get_template(template).render(css=Markup(css), js=Markup(js), policy=policy, **context)  # noqa: S704


def figure(value: float | None) -> str:
    """A number in four significant digits, without an exponent where it can be."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def short(value: float | None) -> float | None:
    """For JSON: four significant digits, null if it is not finite."""
    return None if value is None or value - value != 0 else float(f"{value:.4g}")


def _text(package: str, name: str) -> str:
    return files(package).joinpath(_TEMPLATES, name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """As a Content-Security-Policy names an inline script or style (CSP level 2)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"

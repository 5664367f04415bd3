"""A night, from the lease to the report: the manifest grows, what is missing is done, and all is looked for."""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from jobs.actor import StylizeActor
from jobs.config import CONFIG_KEY, Night, building, in_force, read_config, resting
from jobs.errors import ConfigError
from jobs.exit_codes import DAMAGED
from jobs.flags import Running, running
from jobs.job import Job, begin_job, conclude, exit_code, look, run_missing
from jobs.manifest.build import Pairing, build_manifest
from jobs.nightly.lease import lease
from jobs.nightly.report import Report, reported
from jobs.signals import exit_on_sigterm
from jobs.storage import open_store
from jobs.stylize import context_of
from jobs.summary import summarize

MANIFEST_KEY = "manifest.parquet"
"""Where in the output the manifest is that nights build, unless [run] names another place."""


@dataclass(frozen=True)
class Nightly:
    """What all nights of an output do.

    Attributes:
        pairing: what the manifest is built of; None if others make it.
        run: as `jobs.stylize run` takes it.
        night: how nights go.
        in_force: all of that by section and parameter.
    """

    pairing: Pairing | None
    run: Running
    night: Night
    in_force: Mapping[str, Mapping[str, Any]]


def read_nightly(uri: str) -> Nightly:
    """What a configuration file says about nights.

    Raises:
        ConfigError: as `read_config`; or something that nights need is not said.
        StorageError: it cannot be read.
    """
    file = read_config(uri)
    said = file.values("run")
    if "output" not in said:
        raise ConfigError(f"{file.uri}: [run] lacks output")
    if "manifest" not in said and "build" not in file.said:
        raise ConfigError(f"{file.uri}: [run] lacks manifest, and there is no [build] to make one")
    manifest = said.get("manifest", f"{said['output'].rstrip('/')}/{MANIFEST_KEY}")
    flags = context_of("run", ["--config", file.uri, "--manifest", manifest]).params
    run = {name: flags[name] for name in inspect.signature(running).parameters}
    build = {"build": file.complete("build")} if "build" in file.said else {}
    night = file.complete("night")
    pairing = building(**build["build"]) if build else None
    return Nightly(pairing, running(**run), resting(**night), {**build, "run": run, "night": night})


def spend_night(nightly: Nightly, actor: type[StylizeActor], console: Console) -> int:
    """Does what is new, and what earlier nights left; returns the exit code.

    SIGTERM drains, as in any run.

    Raises:
        BusyError: another night is at work on the output; nothing was done.
        JobError, IftError: as `build_manifest` and `jobs.stylize run`; the report has it, too.
    """
    exit_on_sigterm()
    store = open_store(nightly.run.output)
    with lease(store), reported(store, nightly.run.planning.manifest) as report:
        if nightly.pairing:
            _build(nightly.pairing, report, console)
        job = begin_job(store, nightly.run, actor, console)
        store.write(CONFIG_KEY, in_force(nightly.in_force))
        report.exit_code = _do(job, nightly, report)
        return report.exit_code


def _build(pairing: Pairing, report: Report, console: Console) -> None:
    manifest = report.manifest
    built = build_manifest(pairing, manifest, previous=manifest if _exists(manifest) else None)
    report.built, report.passed_over = built.added, dict(built.passed_over)
    passed = "".join(f"; {count:,} × {reason}" for reason, count in built.passed_over.items())
    console.print(f"{built.added:,} new pairs of {built.rows:,} in {manifest}{passed}", highlight=False, markup=False)


def _do(job: Job, nightly: Nightly, report: Report) -> int:
    """The run, and the look at what came of it."""
    started = time.perf_counter()
    before, _ = summarize(job.store, job.plan)
    report.rows, report.missing, report.left = before.rows, before.left, before.left
    report.retried = before.failed if nightly.night.retry else 0
    job.store.write(report.key, report.to_json())  # if it is killed, that is what it had before it
    stopped = run_missing(job, retry=nightly.night.retry)
    after = conclude(job, time.perf_counter() - started)
    report.done, report.failed, report.left = after.done - before.done, after.failed, after.left
    code = exit_code(job, after, stopped, nightly.run.max_failed)
    if stopped is not None:
        return code
    exit_on_sigterm()  # there is nothing to be drained any more
    verdict = look(job, quick=True)
    report.wrong = dict(verdict.counts)
    return code if verdict.fine else DAMAGED


def _exists(uri: str) -> bool:
    folder, _, name = uri.rpartition("/")
    return open_store(folder).exists(name)

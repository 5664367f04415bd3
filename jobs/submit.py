"""The main job on a running cluster: `python -m jobs.submit run --address http://head:8265 -- run --manifest M …`.

`ray job submit` does as well; this adds what it leaves to the user: one run of an output at a time, time to finish
what is begun when it is stopped, a small upload, and the exit code of the job itself.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shlex
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.errors import JobError
from jobs.run_name import run_name

if TYPE_CHECKING:
    from ray.job_submission import JobDetails, JobSubmissionClient

USAGE_ERROR, TRY_AGAIN, INTERRUPTED, KILLED = 2, 75, 130, 137
"""Exit codes of this program beside those of the job, which it passes on."""

_MEANINGS = {
    0: "every pair has its record",
    1: "stopped by an error that is nobody's mistake; run the same command again to go on",
    USAGE_ERROR: "a mistake in the command, the manifest or the storage",
    3: "every pair has its record, but too many failed",
    4: "verify found something wrong",
    TRY_AGAIN: "storage or cluster were unavailable; run the same command again to go on",
    INTERRUPTED: "drained; run the same command again to go on",
    KILLED: "killed before it had drained; nothing committed is lost: run the same command again to go on",
    143: "drained; run the same command again to go on",
}

_EXCLUDES = ["/.git", ".venv", "venv", "/demo", "/docs", "/tests", "__pycache__", ".*_cache", ".hypothesis", "build"]
_LOCK = "lock"  # the metadata of a job that names the lock it holds
_TICK_S = 1.0
_PAUSE_S = 5.0

_EXIT_CODE = re.compile(r"^exit code (\d+)\s*\Z", re.MULTILINE)
_COUNTS = re.compile(r"^[\d,]+ done, [\d,]+ failed.*$", re.MULTILINE)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)

Address = Annotated[
    str,
    typer.Option(
        envvar=["RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"], help="Dashboard of the cluster, http:// or https://."
    ),
]
Identity = Annotated[str, typer.Argument(metavar="ID", help="As `run` told it; without a number, the last attempt.")]

_LOCAL = "http://127.0.0.1:8265"


@app.callback()
def main() -> None:
    """Runs jobs.stylize on a Ray cluster: one run of an output at a time, with its true exit code."""


@app.command()
def run(
    command: Annotated[list[str], typer.Argument(help="What follows python -m jobs.stylize, after `--`.")],
    address: Address = _LOCAL,
    id_: Annotated[
        str | None, typer.Option("--id", help="Of the job; while it goes on, no other has it. Default: by --output.")
    ] = None,
    working_dir: Annotated[str, typer.Option(help="Folder with ift and jobs, for driver and workers.")] = ".",
    stop_wait: Annotated[int, typer.Option(min=0, help="Seconds that a stopped job has before it is killed.")] = 600,
    attach: Annotated[bool, typer.Option(help="Follow the job of that id, if it goes on already.")] = False,
    follow: Annotated[bool, typer.Option(help="Print the log and wait for the end.")] = True,
) -> None:
    """Submits a command of jobs.stylize, follows its log, and exits with its exit code.

    If a job of that id goes on, nothing is submitted and the exit code is 75. If one has ended, this is the next
    attempt, ID-2 and so on. Ctrl-C ends the following, not the job.
    """
    with _mistakes_as_exit_code(address):
        client = _connect(address)
        command, output = _portable(command, working_dir)
        runtime_env = runtime_env_of(working_dir, stop_wait)
        job, fresh = submit(
            client, id_ or lock_of(output), entrypoint_of("python", "-m", "jobs.stylize", *command), runtime_env
        )
    how = f"`{_call('status', address, job)}` says how it stands, `{_call('stop', address, job)}` stops it"
    if not fresh and not attach:
        typer.echo(f"{job} goes on already, so nothing was submitted; --attach follows it, {how}", err=True)
        raise typer.Exit(TRY_AGAIN)
    typer.echo(f"{job} {'was submitted to' if fresh else 'goes on already at'} {address}")
    if not follow:
        raise typer.Exit
    try:
        asyncio.run(_follow(client, job))
        code, told = outcome(client, client.get_job_info(job))
    except (KeyboardInterrupt, asyncio.CancelledError):
        typer.echo(f"\nno longer following {job}, which goes on: {how}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except (OSError, RuntimeError):
        typer.echo(f"error: {address} no longer answers; {job} may go on: {how}", err=True)
        raise typer.Exit(TRY_AGAIN) from None
    typer.echo(f"{job}: {told}", err=code != 0)
    raise typer.Exit(code)


@app.command()
def stop(id_: Identity, address: Address = _LOCAL) -> None:
    """Stops a job once it has finished what it has begun; running the same command again goes on."""
    with _mistakes_as_exit_code(address):
        client = _connect(address)
        job = _find(client, id_)
        if not job.status.is_terminal():
            client.stop_job(str(job.submission_id))
            typer.echo(f"{job.submission_id}: finishing what is begun; Ctrl-C ends the waiting, not the stopping")
        while not job.status.is_terminal():
            time.sleep(_TICK_S)
            job = client.get_job_info(str(job.submission_id))
        typer.echo(f"{job.submission_id}: {outcome(client, job)[1]}")


@app.command()
def status(id_: Identity, address: Address = _LOCAL) -> None:
    """Says whether a job goes on, its exit code, and what it has done."""
    with _mistakes_as_exit_code(address):
        client = _connect(address)
        job = _find(client, id_)
        told = f", {outcome(client, job)[1]}" if job.status.is_terminal() else ""
        typer.echo(f"{job.submission_id}: {job.status.value}{told}")
        log = client.get_job_logs(str(job.submission_id)).strip()
        counts = _COUNTS.findall(log)
        typer.echo(counts[-1] if counts else log.rpartition("\n")[2])


def lock_of(output: str) -> str:
    """The id that runs of an output share: readable, and another for every output."""
    return f"stylize-{run_name(output)}"


def entrypoint_of(*words: str) -> str:
    """The shell command that runs `words`, and ends the log with their exit code."""
    # Ray forgets the exit code of a job that it stops, so the log has it. The shell gets SIGTERM together with all its
    # children, and must outlive them.
    return f'trap : TERM; {shlex.join(words)}; code=$?; echo "exit code $code"; exit $code'


def runtime_env_of(working_dir: str, stop_wait: int) -> dict[str, Any]:
    """What a job finds on the cluster.

    Args:
        working_dir: folder that driver and workers get a copy of, less what no job needs, as their working directory.
        stop_wait: seconds between SIGTERM and SIGKILL when the job is stopped; its supervisor reads them there.
    """
    wait = {"RAY_JOB_STOP_WAIT_TIME_S": str(stop_wait)}
    return {"working_dir": working_dir, "excludes": _EXCLUDES, "env_vars": wait}


def submit(client: JobSubmissionClient, lock: str, entrypoint: str, runtime_env: dict[str, Any]) -> tuple[str, bool]:
    """Submits a job, unless one with that lock goes on.

    Ray takes every id once, so of several who submit the next attempt at the same time one succeeds.

    Returns:
        The id of the job, and whether it is new.
    """
    while True:
        jobs = client.list_jobs()
        attempts = _attempts(jobs, lock)
        if attempts and not attempts[-1].status.is_terminal():
            return str(attempts[-1].submission_id), False
        taken = {job.submission_id for job in jobs}
        names = (lock if number == 1 else f"{lock}-{number}" for number in count(len(attempts) + 1))
        job = next(name for name in names if name not in taken)
        try:
            client.submit_job(entrypoint=entrypoint, submission_id=job, runtime_env=runtime_env, metadata={_LOCK: lock})
        except RuntimeError:
            if all(other.submission_id != job for other in client.list_jobs()):
                raise
        else:
            return job, True


def outcome(client: JobSubmissionClient, job: JobDetails) -> tuple[int, str]:
    """The exit code of a job that has ended, and what it means."""
    code = job.driver_exit_code
    if code is None:
        told = _EXIT_CODE.search(client.get_job_logs(str(job.submission_id)))
        if not told and job.status.value == "FAILED":
            reason = (job.message or "").strip().rpartition("\n")[2]
            return TRY_AGAIN, f"never began, or its node died ({reason}); run the same command again to go on"
        code = int(told[1]) if told else KILLED
    if code < 0:  # as Python has it for a signal
        code = 128 - code
    return code, f"exit code {code}: {_MEANINGS.get(code, 'see its log')}"


async def _follow(client: JobSubmissionClient, job: str) -> None:
    """Prints a job's log as it grows, until the job has ended, across broken connections; Ctrl-C cancels it."""
    from aiohttp import ClientError

    # So that the loop wakes up at once: by itself it would sleep on where another thread is given the signal.
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, task.cancel)
    printed = 0
    while True:
        at = 0
        with suppress(RuntimeError, ClientError):  # whether the cluster is gone, the next request tells
            async for text in client.tail_job_logs(job):
                typer.echo(text[max(printed - at, 0) :], nl=False)
                at += len(text)
                printed = max(printed, at)
        if client.get_job_status(job).is_terminal():
            return
        await asyncio.sleep(_PAUSE_S)


def _attempts(jobs: Sequence[JobDetails], lock: str) -> list[JobDetails]:
    """The jobs with a lock, or with that very id, oldest first."""
    held = [job for job in jobs if job.submission_id == lock or (job.metadata or {}).get(_LOCK) == lock]
    return sorted(held, key=lambda job: (not job.status.is_terminal(), job.start_time or 0))


def _find(client: JobSubmissionClient, id_: str) -> JobDetails:
    attempts = _attempts(client.list_jobs(), id_)
    if not attempts:
        raise JobError(f"no job {id_} on this cluster")
    return attempts[-1]


def _portable(command: Sequence[str], working_dir: str) -> tuple[list[str], str]:
    """A command of jobs.stylize as the cluster is to run it, and its --output; all is checked before any upload."""
    from jobs.config import with_flags_of_config
    from jobs.stylize import context_of

    name, *arguments = command
    arguments = with_flags_of_config(arguments, context_of(name, arguments), working_dir)
    params = context_of(name, arguments).params
    if "output" not in params:
        raise JobError(f"jobs.stylize {name} has no --output: it needs no cluster")
    output = str(params["output"])
    if "://" not in output and not Path(output).is_absolute():
        raise JobError(
            f"--output {output}: on the cluster a relative path leads into a copy of the working dir, which is "
            "thrown away; give s3://… or the absolute path of a folder that all nodes share"
        )
    return [name, *arguments], output


def _connect(address: str) -> JobSubmissionClient:
    """A client for the jobs of a cluster; sends the token that is in one of the places where Ray looks, if any is."""
    if not address.startswith(("http://", "https://")):
        raise JobError(f"--address {address}: give the address of the cluster's dashboard, as http://head:8265")
    named = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    if named or (Path.home() / ".ray" / "auth_token").exists():
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # before Ray is loaded: it looks once
    os.environ["RAY_API_SERVER_ADDRESS"] = address  # Ray lets it, or else RAY_ADDRESS, overrule the argument
    from ray.exceptions import AuthenticationError
    from ray.job_submission import JobSubmissionClient

    logging.disable(logging.WARNING)  # Ray would tell of every file that it leaves out
    try:
        return JobSubmissionClient(address)
    except AuthenticationError:
        raise JobError(
            f"{address} got no token, or the wrong one: put the one that `ray get-auth-token` tells on its head into "
            "RAY_AUTH_TOKEN, or into ~/.ray/auth_token"
        ) from None


@contextmanager
def _mistakes_as_exit_code(address: str) -> Iterator[None]:
    """What is wrong with the command, or with the way to the cluster, becomes one line and `USAGE_ERROR`."""
    try:
        yield
    except typer.Exit:  # a RuntimeError, too
        raise
    except JobError as error:
        typer.echo(f"error: {error}", err=True)
    except (OSError, RuntimeError, ValueError) as error:  # what Ray's client raises
        typer.echo(f"error: {_reason(error, address)}", err=True)
    else:
        return
    raise typer.Exit(USAGE_ERROR)


def _reason(error: Exception, address: str) -> str:
    """What Ray's client says, in one line."""
    if isinstance(error, ConnectionError):
        return f"no Ray cluster answers at {address}; --address is that of its dashboard, as http://head:8265"
    if "status code 413" in str(error):
        return (
            "the working dir is larger than the cluster takes: give --working-dir a checkout, and list what no job "
            "needs in its .rayignore"
        )
    return f"{address}: {str(error).strip().rpartition(chr(10))[2].rstrip('.')}"


def _call(command: str, address: str, job: str) -> str:
    return f"python -m jobs.submit {command}{'' if address == _LOCAL else f' --address {address}'} {job}"


if __name__ == "__main__":
    app()

"""Cases as jobs of a Slurm cluster, through submitit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ChemomechError, ConfigError, FileError
from ..units import parse
from . import submitted
from .cases import Case
from .process import Process, outcome
from .table import FAILED, INTERRUPTED, Outcome

INSTALL = 'pip install "submitit>=1.5"'


class Slurm:
    """Submits all cases at once, as one job array; a job that times out is requeued and goes on from its restart.

    Args:
        folder: of the sweep, on a disk that the nodes share.
        jobs: how many may run at a time; default as many as the cluster gives.
        time: limit of a job, such as "4 h"; default one hour.
        mem: memory of a job, such as "8 GB"; default what the cluster says.
        cpus: cores of a job, and its threads; default one, and what the environment of the job says.
        gpus: GPUs of a job.
        partition: where to submit.
        options: further options of sbatch by name, such as {"account": "x"}.
        cluster: "slurm", or submitit's "local" and "debug" for a trial without Slurm.

    Raises:
        ConfigError: submitit or Slurm is missing, or an option is unknown.
    """

    slots = 10**9

    def __init__(
        self, folder: Path, jobs: int | None = None, *, time: str = "1 h", mem: str | None = None,
        cpus: int | None = None, gpus: int = 0, partition: str | None = None, options: Mapping[str, str] | None = None,
        cluster: str = "slurm",
    ):  # fmt: skip
        try:
            import submitit
        except ImportError:
            raise ConfigError(f"Slurm jobs need submitit. Install it with: {INSTALL}") from None
        self.cpus, self.chosen, self.cluster = cpus or 1, cpus is not None, cluster
        self.folder, self.logs = folder, folder / "slurm"
        named: dict[str, Any] = {
            "name": "chemomech", "timeout_min": max(1, round(float(parse(time, "minute", name="--time")))),
            "cpus_per_task": self.cpus, "gpus_per_node": gpus or None,
            "mem_gb": None if mem is None else float(parse(mem, "gigabyte", name="--mem")),
            "slurm_partition": partition, "slurm_array_parallelism": jobs,
            "slurm_additional_parameters": dict(options or {}) or None,
        }  # fmt: skip
        try:
            self.executor = submitit.AutoExecutor(folder=self.logs, cluster=cluster)
            self.executor.update_parameters(**{name: value for name, value in named.items() if value is not None})
        except (RuntimeError, ValueError, NameError, TypeError) as error:
            raise ConfigError(
                f"Slurm cannot be used here: {' '.join(str(error).split())}. "
                "Start the sweep on a login node of the cluster, or leave out --slurm to run on this machine."
            ) from None

    def start(self, cases: Sequence[Case]) -> list[_Job]:
        """Submit cases, but for those whose job of an earlier sweep has not ended: these are taken over."""
        earlier = {case.folder.name: self._earlier(case) for case in cases}
        new = [case for case in cases if earlier[case.folder.name] is None]
        try:
            processes = [Process(case.folder, self.cpus, chosen=self.chosen) for case in new]
            given = self.executor.submit_array(processes) if new else []
        except Exception as error:
            raise ChemomechError(
                f"Slurm refused the jobs: {' '.join(str(error).split())}. Check the options."
            ) from None
        added = {case.folder.name: job for case, job in zip(new, given, strict=True)}
        jobs = {name: added.get(name, job) for name, job in earlier.items()}
        if self.cluster == "slurm":  # the ids of a trial would be those of other jobs there
            try:
                submitted.remember(self.folder, {name: job.job_id for name, job in jobs.items()})
            except FileError:
                for job in given:  # nobody would know of them
                    job.cancel(check=False)
                raise
        return [_Job(case, jobs[case.folder.name]) for case in cases]

    def close(self) -> None:
        """Nothing is held: the jobs are the cluster's."""

    def _earlier(self, case: Case) -> Any:
        """The job of this case in the queue or at work, left there by a sweep that was itself killed."""
        known = submitted.known(self.folder).get(case.folder.name)
        if self.cluster != "slurm" or known is None:
            return None
        import submitit

        job = submitit.SlurmJob(folder=self.logs, job_id=known)
        over = job.done(force_check=True) or job.state == "UNKNOWN"  # Slurm forgets jobs after a while
        return None if over else job


class _Job:
    def __init__(self, case: Case, job: Any):
        self.case, self.job = case, job

    def ended(self) -> Outcome | None:
        """How it ended, or None while it waits or runs."""
        if not self.job.done():
            return None
        failure = self.job.exception()
        if failure is not None:
            state = str(self.job.state)
            if "CANCELLED" in state:
                return Outcome(INTERRUPTED)
            return Outcome(FAILED, f"Slurm job {self.job.job_id} ended as {state}; see {self.job.paths.stderr}")
        return outcome(self.case.folder, self.job.result())

    def interrupt(self) -> None:
        """Cancel it."""
        self.job.cancel(check=False)  # it may have ended

    def stop(self) -> None:
        """Slurm does the rest."""

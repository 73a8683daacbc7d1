"""The running system as one thing: started step by step, stopped in order.

Importing this module imports Ray Serve, which reads its environment then: `ray_environment.prepare`
comes first.
"""

import contextlib
import logging
import time
from pathlib import Path
from threading import Thread

import ray
from ray.exceptions import RayError

from airy_ray.cluster.backfill_spec import backfill_spec
from airy_ray.cluster.bots import bots
from airy_ray.cluster.duties import Duties
from airy_ray.cluster.fetching_spec import fetching_spec
from airy_ray.cluster.layout import Layout, jwt_secret
from airy_ray.cluster.machine import machine_spec
from airy_ray.cluster.media.store_spec import store_spec
from airy_ray.cluster.sendings import sendings
from airy_ray.cluster.supervisor import SupervisorClient
from airy_ray.cluster.webhook_spec import calling_spec
from airy_ray.config import Settings
from airy_ray.serve import deploy
from airy_ray.serve.api import tokens

_OBJECT_STORE_BYTES = 100 << 20
"""Ray's least: nothing of ours goes through it."""
_VITAL = {"raylet", "gcs_server"}
_OWNED_S = 120.0
_POLL_S = 0.1


class System:
    """Everything that `airy-ray up` starts."""

    def __init__(self, settings: Settings, layout: Layout) -> None:
        self._settings = settings
        self._layout = layout
        self._is_serving = False
        self._supervisor: SupervisorClient | None = None

    def start_ray(self, address: str | None, directory: Path) -> None:
        """Start Ray on this machine, or connect to a cluster that runs.

        Raises:
            RuntimeError: that cannot be done; on a very busy machine Ray runs into its own bounds.
        """
        try:
            self._start_ray(address, directory)
        except Exception as error:  # Ray raises all kinds, and bare ones
            raise RuntimeError(str(error)) from error

    def _start_ray(self, address: str | None, directory: Path) -> None:
        if address is not None:
            ray.init(address=address, namespace="airy", logging_level=logging.WARNING)
            return
        ray.init(
            namespace="airy",
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
            _temp_dir=str(directory),
            _node_ip_address="127.0.0.1",
        )
        logging.getLogger("ray.serve").setLevel(logging.WARNING)
        _end_unused()

    def start_partitions(self) -> None:
        """Start the supervisor, which starts the partitions' owners."""
        settings = self._settings
        duties = Duties(
            sendings(
                settings.sources,
                settings.http.public_url,
                source_key=tokens.key_of(jwt_secret(settings)),
            ),
            joins_numbers=settings.contacts.join_same_number,
            fetching=fetching_spec(settings),
            bots=bots(settings.bots),
            calling=calling_spec(settings, self._layout),
            files=store_spec(settings),
            backfilling=backfill_spec(settings.sources.facebook),
        )
        machine = machine_spec(settings, self._layout)
        self._supervisor = SupervisorClient(machine, duties, settings.replay.on_upgrade)

    def start_applications(self) -> None:
        """Start the applications; every partition has an owner when this returns."""
        assert self._supervisor is not None
        self._is_serving = True
        deploy.deploy(self._settings, self._layout)
        deadline = time.monotonic() + _OWNED_S
        while not self._supervisor.are_owned():
            if time.monotonic() > deadline:
                raise TimeoutError("a partition has no owner; its actor's log says why")
            time.sleep(_POLL_S)

    def is_alive(self) -> bool:
        """Whether Ray's own processes, which nobody starts again, run; true of a foreign cluster.

        It has to be asked now and then: a worker takes a dead raylet for alive until it is reaped.
        """
        node = ray._private.worker._global_node
        return node is None or not _VITAL.intersection(kind for kind, _ in node.dead_processes())

    def stop(self) -> bool:
        """Stop what was started, in order: no more requests, then the owners, then Ray.

        Return False if Ray's own processes ended meanwhile, as they do if all of a process group or
        a service is sent SIGTERM: then nothing can be stopped in order any more.
        """
        if not ray.is_initialized():
            return True
        stopping = Thread(target=self._stop_applications, daemon=True)
        stopping.start()
        while stopping.is_alive():
            if not self.is_alive():
                return False
            stopping.join(_POLL_S)
        ray.shutdown()
        return True

    def _stop_applications(self) -> None:
        with contextlib.suppress(RayError):
            if self._is_serving:
                deploy.shut_down()
        with contextlib.suppress(RayError):
            if self._supervisor is not None:
                self._supervisor.stop()


def _end_unused() -> None:
    """End what Ray starts on a machine and nothing of ours asks: `ray.init` cannot leave it out.

    Its log monitor (copies all logs to a driver), its autoscaler and its dashboard without pages
    take 0.19 GB and a fiftieth of a core (`benchmarks/start.py`).
    """
    node = ray._private.worker._global_node
    if node is not None:
        node.kill_log_monitor(check_alive=False)
        node.kill_monitor(check_alive=False)
        node.kill_dashboard(check_alive=False)

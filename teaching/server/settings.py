"""What JupyterHub is told: one function of a few settings."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
START = "/lab/tree/notebooks/00_start_here.ipynb"
SPAWNERS = {
    "systemd": "systemdspawner.SystemdSpawner",
    "group": "server.spawner.GroupSpawner",
    "none": "jupyterhub.spawner.LocalProcessSpawner",
}
REPORTED = 300  # seconds between reports of who is active, as JupyterHub has it


@dataclass(frozen=True)
class Settings:
    """Of one class server.

    Attributes:
        users: accounts that may log in.
        admins: those that may start, stop and open the servers of others.
        state: folder of the hub's database, cookies and process ids.
        proxy: the program configurable-http-proxy.
        address: where the proxy listens.
        port: of the proxy; its own interface is at the next one, the hub at port + 81, both at 127.0.0.1.
        memory: limit of each server, as JupyterHub reads it: "3G" is 3 * 1024**3 bytes.
        idle: seconds without activity after which a server is ended.
        limit: what holds the memory, a key of `SPAWNERS`.
        certificate, key: files for TLS; empty without it.
        more: a file of settings of JupyterHub that are read after these; empty without one.
    """

    users: tuple[str, ...]
    admins: tuple[str, ...]
    state: str
    proxy: str
    address: str = "127.0.0.1"
    port: int = 8000
    memory: str = "3G"
    idle: int = 3600
    limit: str = "systemd"
    certificate: str = ""
    key: str = ""
    more: str = ""

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Settings:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return cls(**kept | {"users": tuple(kept["users"]), "admins": tuple(kept["admins"])})


def configure(c, settings: Settings) -> None:
    """Fill in a configuration of JupyterHub.

    Args:
        c: what ``get_config()`` gives in a file of settings; any `traitlets.config.Config`.
        settings: of the class server.
    """
    state = Path(settings.state)
    secure = "s" if settings.certificate else ""
    c.JupyterHub.bind_url = f"http{secure}://{settings.address}:{settings.port}"
    c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{settings.port + 81}"
    c.JupyterHub.ssl_cert, c.JupyterHub.ssl_key = settings.certificate, settings.key
    c.JupyterHub.db_url = f"sqlite:///{state / 'jupyterhub.sqlite'}"
    c.JupyterHub.cookie_secret_file = str(state / "cookie_secret")
    c.ConfigurableHTTPProxy.command = [settings.proxy]
    c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{settings.port + 1}"
    c.ConfigurableHTTPProxy.pid_file = str(state / "proxy.pid")

    c.JupyterHub.authenticator_class = "pam"  # accounts of the machine, with their passwords
    c.Authenticator.allowed_users = set(settings.users)
    c.Authenticator.admin_users = set(settings.admins)

    c.JupyterHub.spawner_class = SPAWNERS[settings.limit]
    c.Spawner.cmd = [sys.executable, str(FOLDER / "begin.py")]
    c.Spawner.default_url = START
    c.Spawner.mem_limit = settings.memory
    c.Spawner.start_timeout = c.Spawner.http_timeout = 300  # a whole class logs in at the same minute
    c.SystemdSpawner.isolate_tmp = True
    c.SystemdSpawner.unit_extra_properties = {"MemorySwapMax": "0"}  # the limit is of memory, swap is no way round it
    c.SystemdSpawner.default_shell = os.environ.get("SHELL", "/bin/bash")

    # Who is active is reported often enough that nobody is taken for idle who is not.
    often = max(1, min(REPORTED, settings.idle // 3))
    c.JupyterHub.last_activity_interval = often
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    c.Spawner.environment = {"JUPYTERHUB_ACTIVITY_INTERVAL": str(often), "PATH": programs}
    culler = [sys.executable, "-m", "jupyterhub_idle_culler", f"--timeout={settings.idle}"]
    c.JupyterHub.services = [{"name": "idle-culler", "command": culler}]
    scopes = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
    c.JupyterHub.load_roles = [{"name": "idle-culler", "scopes": scopes, "services": ["idle-culler"]}]

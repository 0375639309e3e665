"""Start the server for a class: JupyterHub, its proxy and the idle culler, on this machine.

    sudo make hub ARGS="--users class.txt --admin ada"      # sets up what it needs, checks, starts; Ctrl-C ends it
    sudo make hub ARGS="--users class.txt --check"          # only checks
    make hubplan                                            # what 10, 50 and 500 learners need

`teaching/server.md` says what else there is to decide.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT / "teaching") not in sys.path:
    sys.path.insert(0, str(ROOT / "teaching"))

from server import limits, plan, settings  # noqa: E402

HERE = Path(__file__).resolve().parent
PROXY = ROOT / "build" / "hub-proxy"
NODE = 20  # the oldest that the proxy runs on
GET_NODE = (
    f"The proxy needs Node.js {NODE} or newer, with npm. Debian 13 and Ubuntu 25.04 have it: apt install nodejs npm. "
    "For an older system nodejs.org has packages. It must be on the PATH of root, too."
)
# What of the environment and of the checkout a learner must be able to read, and nothing of it to write.
SHARED = ("", "notebooks", "cnnlib", "cnnlib/runtime.py", "data", "teaching/server/begin.py")


class HubError(ValueError):
    """The server cannot be started as asked; the message says why."""


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        made = prepare(options)
    except (HubError, OSError) as error:
        print(f"hub: {error}", file=sys.stderr)
        return 1
    if options.check:
        print("hub: all is there. The same command without --check starts it.")
        return 0
    file = Path(made.state) / "settings.json"
    made.write(file)
    secure = "s" if made.certificate else ""
    print(f"hub: {len(made.users)} accounts, at most {made.memory} each, held by: {made.limit}")
    print(f"hub: http{secure}://{made.address}:{made.port}  (Ctrl-C ends it, and the servers of all)", flush=True)
    os.chdir(made.state)
    # What is active around the administrator must not reach learners.
    for name in ("PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH"):
        os.environ.pop(name, None)
    os.environ["COURSE_HUB"] = str(file)
    os.execv(sys.executable, [sys.executable, "-m", "jupyterhub", "-f", str(HERE / "jupyterhub_config.py")])


def prepare(options: argparse.Namespace) -> settings.Settings:
    """Check everything that can be checked before learners come, and install the proxy.

    Raises:
        HubError: something is missing or not safe; the message says what, and what to do.
    """
    try:
        plan.size(options.memory)
    except ValueError as error:
        raise HubError(f"--memory: {error}") from None
    if options.idle < 1:
        raise HubError(f"--idle {options.idle}: minutes without activity, at least 1")
    users = names(options.users)
    admins = tuple(dict.fromkeys(options.admin))
    users = tuple(dict.fromkeys((*users, *admins)))
    check_address(options.address, options.certificate, options.key)
    check_port(options.address, options.port)
    if os.geteuid() != 0:
        raise HubError(
            "each learner's server runs under an account of its own, which only root can do: sudo make hub ARGS=..."
        )
    check_accounts(users)
    check_shared(users[0])
    limit = held(options.limit)
    state = options.state.resolve()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    state.chmod(0o700)  # cookies and tokens are in it
    proxy = install_proxy()
    return settings.Settings(
        users, admins, str(state), str(proxy), options.address, options.port, options.memory,
        round(options.idle * 60), limit, _file(options.certificate), _file(options.key), _file(options.config),
    )  # fmt: skip


def names(path: Path) -> tuple[str, ...]:
    """The accounts of a list: one in each line; empty lines, and what follows a #, do not count.

    Raises:
        HubError: the list cannot be read, is empty, or has a line that is no name of an account.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise HubError(f"--users {path}: the list of accounts cannot be read: {error}") from None
    found = []
    for number, line in enumerate(lines, start=1):
        name = line.partition("#")[0].strip()
        if not name:
            continue
        if not re.fullmatch(r"[a-z_][a-z0-9_.-]{0,31}", name):
            raise HubError(
                f"{path}, line {number}: {name!r} is no name of an account. One in each line, in small letters: a "
                "letter first, then letters, digits, '.', '_' and '-'."
            )
        found.append(name)
    if not found:
        raise HubError(f"{path} names no account. One in each line; without any, nobody could log in.")
    return tuple(dict.fromkeys(found))


def check_address(address: str, certificate: Path | None, key: Path | None) -> None:
    """Passwords leave this machine only encrypted."""
    if bool(certificate) != bool(key):
        raise HubError("--certificate and --key belong together: the certificate, with its chain, and its private key")
    for path in (certificate, key):
        if path and not path.is_file():
            raise HubError(f"{path} is no file")
    try:
        local = ipaddress.ip_address(address).is_loopback
    except ValueError:
        local = address == "localhost"
    if not local and not certificate:
        raise HubError(
            f"--address {address}: passwords would go over the network for everybody to read. Give --certificate and "
            "--key, or leave the server at 127.0.0.1 behind a web server of this machine that has them (server.md)."
        )


def check_port(address: str, port: int) -> None:
    if not 1 <= port <= 65535 - 81:
        raise HubError(f"--port {port}: a number from 1 to {65535 - 81}")
    for where, number in ((address, port), ("127.0.0.1", port + 1), ("127.0.0.1", port + 81)):
        family = socket.AF_INET6 if ":" in where else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((where, number))
            except OSError as error:
                raise HubError(
                    f"{where} port {number} cannot be used: {error.strerror}. Does the server run already? "
                    "--port names another one; the next one and that + 81 are needed too."
                ) from None


def check_accounts(users: tuple[str, ...]) -> None:
    """Every learner has an account and a home."""
    missing = []
    for name in users:
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            missing.append(name)
            continue
        if account.pw_uid == 0:
            raise HubError(f"{name} is root. A server of root could change everything: use an ordinary account.")
        if not Path(account.pw_dir).is_dir():
            raise HubError(f"{name} has no home folder: {account.pw_dir}. sudo mkhomedir_helper {name}  makes it.")
    if missing:
        raise HubError(
            f"this machine has no account {', '.join(missing)}. Make each with: sudo useradd --create-home --shell "
            f"/bin/bash {missing[0]} && sudo passwd {missing[0]}  (server.md makes a whole class)."
        )


def check_shared(name: str) -> None:
    """A learner can read the course and run the environment, and can change neither.

    Raises:
        HubError: naming what stands in the way.
    """
    account = pwd.getpwnam(name)
    paths = [str(ROOT / part) for part in SHARED] + [sys.prefix]
    look = (
        "import os, sys; print(*[p for p in sys.argv[1:] if not os.access(p, os.R_OK)], sep='\\n'); print('--'); "
        "print(*[p for p in sys.argv[1:] if os.access(p, os.W_OK)], sep='\\n')"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", look, *paths], user=account.pw_uid, group=account.pw_gid, cwd="/",
            extra_groups=os.getgrouplist(name, account.pw_gid), capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError) as error:
        closed = _closed(Path(sys.executable), account) or _closed(Path(sys.executable).resolve(), account)
        raise HubError(
            f"{name} cannot run {sys.executable}: {f'others may not enter {closed}' if closed else error}. Put the "
            "course where everybody can read it, /srv/course for example, and make its environment with a Python that "
            "all may use: sudo make PYTHON=/usr/bin/python3 hub"
        ) from None
    unread, written = (part.split() for part in done.stdout.split("--\n"))
    if unread:
        raise HubError(f"{name} cannot read {unread[0]}. Everybody needs it: sudo chmod -R a+rX {ROOT}")
    if written:
        raise HubError(
            f"{name} may change {written[0]}, which all learners use. Give it to root: sudo chown -R root {ROOT}; "
            f"sudo chmod -R go-w {ROOT}"
        )


def _closed(path: Path, account: pwd.struct_passwd) -> Path | None:
    """The outermost folder above a path that an account cannot enter, by its mode."""
    groups = set(os.getgrouplist(account.pw_name, account.pw_gid))
    for folder in reversed(path.parents):
        status = folder.stat()
        bit = 0o100 if status.st_uid == account.pw_uid else 0o010 if status.st_gid in groups else 0o001
        if not status.st_mode & bit:
            return folder
    return None


def held(asked: str) -> str:
    """What holds the memory of each server: the service manager, groups of the kernel, or nothing, with a warning."""
    if asked == "none":
        print("hub: NO LIMIT: one learner's notebook can take the memory of all.", file=sys.stderr)
        return "none"
    if Path("/run/systemd/system").is_dir():
        return "systemd"
    groups, why = limits.find()
    if groups is not None:
        return "group"
    raise HubError(
        f"the memory of learners' servers cannot be limited: systemd does not run here, and {why}. One notebook could "
        "then take the memory of all. On a machine with systemd it can; --limit none starts it all the same."
    )


def install_proxy() -> Path:
    """Install configurable-http-proxy as the lock says, once; its program.

    Raises:
        HubError: Node.js is missing or too old, or npm failed.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise HubError(f"{'node' if node is None else 'npm'} is missing. {GET_NODE}")
    version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout.strip()
    if not (found := re.match(r"v(\d+)", version)) or int(found[1]) < NODE:
        raise HubError(f"{node} is version {version or 'unknown'}. {GET_NODE}")
    program = PROXY / "node_modules" / ".bin" / "configurable-http-proxy"
    files = ("package.json", "package-lock.json")
    if program.exists() and all((PROXY / f).read_bytes() == (HERE / "proxy" / f).read_bytes() for f in files):
        return program
    PROXY.mkdir(parents=True, exist_ok=True)
    for name in files:
        shutil.copy(HERE / "proxy" / name, PROXY / name)
    print("hub: installing the proxy, once", flush=True)
    command = [npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
    if subprocess.run(command, cwd=PROXY).returncode or not program.exists():
        (PROXY / files[1]).unlink()
        raise HubError("npm could not install the proxy; it says why above. Is this machine online? Then run it again.")
    return program


def _file(path: Path | None) -> str:
    return str(path.resolve()) if path else ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--users", type=Path, required=True, metavar="FILE", help="who may log in: an account in each line")
    add("--admin", action="append", default=[], metavar="NAME", help="may stop and open the servers of others")
    add("--memory", default="3G", help="limit of each server, with its notebooks (3G)")
    add("--idle", type=float, default=60, metavar="MINUTES", help="servers without activity are ended after (60)")
    add("--address", default="127.0.0.1", help="where to listen (127.0.0.1: this machine only)")
    add("--port", type=int, default=8000, help="where to listen (8000)")
    add("--certificate", type=Path, metavar="FILE", help="for TLS, with its chain")
    add("--key", type=Path, metavar="FILE", help="of the certificate")
    add("--config", type=Path, metavar="FILE", help="more settings of JupyterHub, read after the course's")
    add("--state", type=Path, default=ROOT / ".cnnlib" / "hub", metavar="FOLDER", help="of the hub's own data")
    add("--limit", choices=["auto", "none"], default="auto", help="none: start where memory cannot be limited")
    add("--check", action="store_true", help="check everything, and start nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())

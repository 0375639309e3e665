"""The class server without a hub: what it is told, what it checks, how notebooks are handed out, what a class needs.

The server itself is started by `sudo make hubtest` (test_server_real.py).
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

import nbformat
import pytest
import yaml
from server import begin, limits, plan
from server.settings import SPAWNERS, Settings, configure
from traitlets.config import Config

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the class server is for Linux")
if os.name != "nt":
    from server import launch

ROOT = Path(__file__).resolve().parents[2]
DAY = date(2026, 3, 1)


# --- handing out -----------------------------------------------------------------------------------------------------


@pytest.fixture
def course(tmp_path):
    folder = tmp_path / "course of all"
    for name in ("notebooks/01_a.ipynb", "notebooks/02_b.ipynb", "README.md", "docs/glossary.md", "data/README.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name}, first version")
    return folder


@pytest.fixture
def mine(tmp_path):
    return tmp_path / "home" / "course"


def listed(mine):
    return sorted(path.name for path in (mine / "notebooks").iterdir())


def test_the_first_start_copies_notebooks_and_links_the_rest(course, mine):
    assert begin.hand_out(course, mine) == []
    assert listed(mine) == ["01_a.ipynb", "02_b.ipynb"]
    assert not (mine / "notebooks" / "01_a.ipynb").is_symlink()
    assert (mine / "docs").is_symlink()
    assert (mine / "docs" / "glossary.md").read_text() == "docs/glossary.md, first version"
    assert mine.stat().st_mode & 0o077 == 0, "others can look into the folder"


def test_what_is_there_is_never_overwritten(course, mine):
    begin.hand_out(course, mine)
    (mine / "notebooks" / "01_a.ipynb").write_text("my answers")
    (mine / "notebooks" / "mine.ipynb").write_text("mine")
    before = {path.name: path.read_text() for path in (mine / "notebooks").iterdir()}
    for _ in range(2):
        assert begin.hand_out(course, mine) == []
        assert {path.name: path.read_text() for path in (mine / "notebooks").iterdir()} == before


def test_a_newer_version_is_put_beside_once_and_told(course, mine):
    begin.hand_out(course, mine)
    (mine / "notebooks" / "01_a.ipynb").write_text("my answers")
    (course / "notebooks" / "01_a.ipynb").write_text("second version")
    news = begin.hand_out(course, mine, DAY)
    assert len(news) == 1
    assert "01_a.2026-03-01.ipynb" in news[0]
    assert (mine / "notebooks" / "01_a.ipynb").read_text() == "my answers"
    assert (mine / "notebooks" / "01_a.2026-03-01.ipynb").read_text() == "second version"
    assert "01_a.2026-03-01.ipynb" in (mine / begin.NEWS).read_text()
    assert begin.hand_out(course, mine, DAY) == []
    assert listed(mine) == ["01_a.2026-03-01.ipynb", "01_a.ipynb", "02_b.ipynb"]


def test_two_newer_versions_of_one_day_and_a_name_that_is_taken(course, mine):
    begin.hand_out(course, mine)
    (mine / "notebooks" / "01_a.2026-03-01.ipynb").write_text("mine")
    for version in ("second", "third"):
        (course / "notebooks" / "01_a.ipynb").write_text(version)
        begin.hand_out(course, mine, DAY)
    texts = {path.name: path.read_text() for path in (mine / "notebooks").glob("01_a.2026*")}
    assert sorted(texts.values()) == ["mine", "second", "third"]
    assert texts["01_a.2026-03-01.ipynb"] == "mine"
    assert (mine / begin.NEWS).read_text().count("newer version") == 2


def test_who_deletes_a_notebook_gets_it_anew(course, mine):
    begin.hand_out(course, mine)
    (mine / "notebooks" / "01_a.ipynb").unlink()
    assert begin.hand_out(course, mine) == []
    assert (mine / "notebooks" / "01_a.ipynb").read_text() == "notebooks/01_a.ipynb, first version"


@pytest.mark.parametrize("record", ["", "{not json", "[]", None])
def test_without_the_record_nothing_is_lost(course, mine, record):
    begin.hand_out(course, mine)
    (mine / "notebooks" / "01_a.ipynb").write_text("my answers")
    (mine / begin.RECORD).unlink()
    if record is not None:
        (mine / begin.RECORD).write_text(record)
    assert len(begin.hand_out(course, mine, DAY)) == 1  # what differs may be older: beside it, once
    assert (mine / "notebooks" / "01_a.ipynb").read_text() == "my answers"
    assert begin.hand_out(course, mine, DAY) == []


def test_a_link_to_nowhere_in_the_place_of_a_notebook_stays(course, mine, tmp_path):
    (mine / "notebooks").mkdir(parents=True)
    (mine / "notebooks" / "01_a.ipynb").symlink_to(tmp_path / "away")
    begin.hand_out(course, mine, DAY)
    assert (mine / "notebooks" / "01_a.ipynb").is_symlink()
    assert not (tmp_path / "away").exists()


def test_links_follow_a_course_that_moved(course, mine, tmp_path):
    begin.hand_out(course, mine)
    moved = course.rename(tmp_path / "moved")
    begin.hand_out(moved, mine)
    assert (mine / "docs" / "glossary.md").exists()


def test_a_notebook_that_comes_in_between_is_not_overwritten(mine):
    mine.mkdir(parents=True)
    (mine / "01_a.ipynb").write_text("mine")
    with pytest.raises(FileExistsError):
        begin._write(mine / "01_a.ipynb", b"the course's")
    assert (mine / "01_a.ipynb").read_text() == "mine"


def test_a_full_disk_leaves_no_half_notebook(course, mine, monkeypatch):
    begin.hand_out(course, mine)
    (mine / "notebooks" / "02_b.ipynb").unlink()

    class Full(type(mine)):
        def open(self, *arguments, **more):
            file = super().open(*arguments, **more)

            class Writes:
                def __enter__(self):
                    return self

                def __exit__(self, *_):
                    file.close()

                def write(self, content):
                    file.write(content[:3])
                    raise OSError(28, "No space left on device")

            return Writes()

    with pytest.raises(OSError, match="No space"):
        begin._write(Full(mine / "notebooks" / "02_b.ipynb"), b"content")
    assert listed(mine) == ["01_a.ipynb"]


def test_every_link_of_a_notebook_leads_somewhere_in_the_learners_folder(mine):
    begin.hand_out(ROOT, mine)
    broken = set()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                for target in re.findall(r"\]\((\.\./[^)#\s]+)", cell.source):
                    if not (mine / "notebooks" / target).exists():
                        broken.add(f"{path.name}: {target}")
    assert not broken


def test_kernels_are_reached_by_sockets_where_the_path_is_short_enough():
    assert begin.arguments("/" + "x" * 30) == ["--KernelManager.transport=ipc"]
    assert begin.arguments("/" + "x" * 90) == []
    longest = "/" + "x" * (begin.LONGEST - 1)
    name = f"{longest}/kernel-12345678-1234-1234-1234-123456789012-ipc-5"
    assert len(name) == 107


# --- what the hub is told --------------------------------------------------------------------------------------------


def made(**changes):
    return Settings(**{"users": ("ada", "ben"), "admins": ("ada",), "state": "/state", "proxy": "/proxy"} | changes)


def test_the_settings_are_safe_unless_told_otherwise():
    c = Config()
    configure(c, made())
    assert c.JupyterHub.bind_url == "http://127.0.0.1:8000"
    assert c.JupyterHub.hub_bind_url == "http://127.0.0.1:8081"
    assert c.JupyterHub.authenticator_class == "pam"
    assert c.Authenticator.allowed_users == {"ada", "ben"}
    assert c.Authenticator.admin_users == {"ada"}
    assert "allow_all" not in c.Authenticator
    assert c.JupyterHub.spawner_class == SPAWNERS["systemd"]
    assert c.Spawner.mem_limit == "3G"
    assert Path(c.Spawner.cmd[1]).is_file()


def test_the_culler_may_end_servers_and_read_nothing_else():
    c = Config()
    configure(c, made(idle=1800))
    assert "--timeout=1800" in c.JupyterHub.services[0]["command"]
    (role,) = c.JupyterHub.load_roles
    assert role["services"] == ["idle-culler"]
    assert {scope.partition(":")[0] for scope in role["scopes"]} == {"list", "read", "delete"}
    # Nobody who works is taken for idle: activity is reported several times within the time.
    assert c.JupyterHub.last_activity_interval * 3 <= 1800


@pytest.mark.parametrize("idle", [60, 600, 7200])
def test_activity_is_reported_more_often_than_servers_are_ended(idle):
    c = Config()
    configure(c, made(idle=idle))
    assert 1 <= int(c.Spawner.environment["JUPYTERHUB_ACTIVITY_INTERVAL"]) <= idle / 3


def test_a_certificate_makes_it_https_and_settings_survive_their_file(tmp_path):
    c = Config()
    settings = made(certificate="/c.pem", key="/k.pem", address="0.0.0.0", port=443)
    settings.write(tmp_path / "settings.json")
    again = Settings.read(tmp_path / "settings.json")
    assert again == settings
    configure(c, again)
    assert c.JupyterHub.bind_url == "https://0.0.0.0:443"
    assert c.JupyterHub.ssl_cert == "/c.pem"


# --- what is checked -------------------------------------------------------------------------------------------------


def test_the_list_of_accounts(tmp_path):
    file = tmp_path / "class.txt"
    file.write_text("ada\n\n# the others\n ben  # with a note\nada\n")
    assert launch.names(file) == ("ada", "ben")


@pytest.mark.parametrize("text", ["ada\nBen\n", "ada\nada lovelace\n", "ada\n../ben\n", "ada\n-rf\n"])
def test_a_line_that_is_no_account_is_named(tmp_path, text):
    file = tmp_path / "class.txt"
    file.write_text(text)
    with pytest.raises(launch.HubError, match=r"class.txt, line 2: .*small letters"):
        launch.names(file)


def test_an_empty_list_and_none_at_all(tmp_path):
    (tmp_path / "empty").write_text("# nobody\n")
    with pytest.raises(launch.HubError, match="names no account"):
        launch.names(tmp_path / "empty")
    with pytest.raises(launch.HubError, match="cannot be read"):
        launch.names(tmp_path / "none")


@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.1.5", "::", "course.example.org"])
def test_passwords_leave_the_machine_only_encrypted(tmp_path, address):
    with pytest.raises(launch.HubError, match="for everybody to read"):
        launch.check_address(address, None, None)
    for name in ("c.pem", "k.pem"):
        (tmp_path / name).write_text("")
    launch.check_address(address, tmp_path / "c.pem", tmp_path / "k.pem")


def test_the_machine_itself_needs_no_certificate(tmp_path):
    for address in ("127.0.0.1", "::1", "localhost"):
        launch.check_address(address, None, None)
    with pytest.raises(launch.HubError, match="belong together"):
        launch.check_address("127.0.0.1", tmp_path / "c.pem", None)
    with pytest.raises(launch.HubError, match="is no file"):
        launch.check_address("127.0.0.1", tmp_path / "c.pem", tmp_path / "k.pem")


def test_accounts_that_are_missing_and_root():
    with pytest.raises(launch.HubError, match=r"no account no-such-1, no-such-2.*useradd"):
        launch.check_accounts(("no-such-1", "no-such-2"))
    with pytest.raises(launch.HubError, match="root is root"):
        launch.check_accounts(("root",))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root becomes another account")
def test_what_all_share_is_readable_and_not_writable(tmp_path, monkeypatch):
    if not Path("/usr/bin/python3").exists():
        pytest.skip("no Python that every account can run")
    monkeypatch.setattr(launch.sys, "executable", "/usr/bin/python3")
    monkeypatch.setattr(launch.sys, "prefix", "/usr")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        root = Path(folder)
        monkeypatch.setattr(launch, "ROOT", root)
        for part in launch.SHARED:
            path = root / part
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch() if path.suffix else path.mkdir(exist_ok=True)
        with pytest.raises(launch.HubError, match="nobody cannot read"):
            launch.check_shared("nobody")
        root.chmod(0o755)
        launch.check_shared("nobody")
        (root / "cnnlib" / "runtime.py").chmod(0o666)
        with pytest.raises(launch.HubError, match=r"nobody may change .*runtime.py.*chown"):
            launch.check_shared("nobody")
        (root / "bin").mkdir(mode=0o700)
        shutil.copy("/bin/true", root / "bin" / "python")
        monkeypatch.setattr(launch.sys, "executable", str(root / "bin" / "python"))
        with pytest.raises(launch.HubError, match=rf"nobody cannot run .*may not enter {root}/bin"):
            launch.check_shared("nobody")


def test_a_port_that_is_taken():
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(launch.HubError, match="cannot be used"):
            launch.check_port("127.0.0.1", taken.getsockname()[1])


@pytest.mark.parametrize(
    ("programs", "message"),
    [({}, "node is missing.*nodejs"), ({"node": "v18.20.4", "npm": ""}, "node is version v18.20.4.*Node.js 20")],
)
def test_without_node_it_says_how_to_get_it(tmp_path, monkeypatch, programs, message):
    for name, said in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\necho {said}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(launch.HubError, match=message):
        launch.install_proxy()


def test_without_a_way_to_hold_memory_it_does_not_start(monkeypatch, capsys):
    monkeypatch.setattr(launch.Path, "is_dir", lambda path: False)
    monkeypatch.setattr(limits, "find", lambda: (None, "no group can be made"))
    with pytest.raises(launch.HubError, match="no group can be made.*--limit none"):
        launch.held("auto")
    assert launch.held("none") == "none"
    assert "NO LIMIT" in capsys.readouterr().err
    monkeypatch.setattr(limits, "find", lambda: (limits.Groups(Path("/x"), 2), ""))
    assert launch.held("auto") == "group"
    monkeypatch.setattr(launch.Path, "is_dir", lambda path: str(path) == "/run/systemd/system")
    assert launch.held("auto") == "systemd"


def test_the_command_line_says_what_is_wrong(tmp_path, capsys):
    (tmp_path / "class.txt").write_text("ada\n")
    for more, message in ((["--memory", "lots"], "'lots' is no size"), (["--idle", "0"], "--idle 0")):
        assert launch.main(["--users", str(tmp_path / "class.txt"), *more]) == 1
        assert message in capsys.readouterr().err


# --- memory groups ---------------------------------------------------------------------------------------------------


def test_groups_of_both_versions(tmp_path):
    first = limits.Groups(tmp_path / "one", 1)
    (tmp_path / "one" / "ada").mkdir(parents=True)
    (tmp_path / "one" / "ada" / "memory.memsw.limit_in_bytes").write_text("")
    group = first.make("ada", 1000)
    assert (group / "memory.limit_in_bytes").read_text() == "1000"
    assert (group / "memory.memsw.limit_in_bytes").read_text() == "1000"
    second = limits.Groups(tmp_path / "two", 2)
    (tmp_path / "two" / "ada").mkdir(parents=True)
    (tmp_path / "two" / "ada" / "memory.swap.max").write_text("max")
    group = second.make("ada", 1000)
    assert (group / "memory.max").read_text() == "1000"
    assert (group / "memory.swap.max").read_text() == "0"


def test_where_groups_can_be_made(tmp_path):
    place = tmp_path / "unified"
    place.mkdir()
    (place / "cgroup.controllers").write_text("cpu memory pids\n")
    (place / "cgroup.subtree_control").write_text("")
    groups, why = limits.find(f"cgroup2 {place} cgroup2 rw 0 0\n")
    assert (groups, why) == (limits.Groups(place / limits.OURS, 2), "")
    assert (place / "cgroup.subtree_control").read_text() == "+memory"
    groups, why = limits.find(f"cgroup {tmp_path} cgroup rw,relatime,memory 0 0\n")
    assert groups == limits.Groups(tmp_path / limits.OURS, 1)
    groups, why = limits.find("tmpfs /tmp tmpfs rw 0 0\n")
    assert groups is None
    assert "no memory groups" in why
    groups, why = limits.find(f"cgroup {tmp_path / 'missing'} cgroup rw,memory 0 0\n")
    assert groups is None
    assert "no memory group can be made" in why


def test_a_group_that_is_gone_is_closed():
    limits.close(Path("/no/such/group"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root makes memory groups")
def test_a_limit_holds():
    groups, why = limits.find()
    if groups is None:
        pytest.skip(why)
    group = groups.make(f"test-{os.getpid()}", 64 << 20)
    take = "import sys; taken = b'x' * (int(sys.argv[1]) << 20); print('had')"
    inside = {"preexec_fn": lambda: limits.enter(group), "text": True}
    try:
        for size, had in ((8, "had\n"), (200, "")):
            command = [sys.executable, "-c", take, str(size)]
            assert subprocess.run(command, capture_output=True, **inside).stdout == had
        left = subprocess.Popen(["sleep", "100"], **inside)
    finally:
        limits.close(group)
    assert left.wait(10) == -9
    assert not group.exists()


# --- what a class needs ----------------------------------------------------------------------------------------------


def test_the_arithmetic_by_hand():
    # 10 learners, lessons of 1, 1 and 2 GB and of 60, 90 and 120 s, a limit of 3 GB.
    need = plan.need(10, 3_000_000_000, [1000, 1000, 2000], [60, 90, 120])
    base, servers = plan.HUB / 1000, 10 * plan.SERVER / 1000
    assert need.idle == pytest.approx(base + servers)
    assert need.typical == pytest.approx(base + servers + 10)
    assert need.heaviest == pytest.approx(base + servers + 20)
    assert need.limit == pytest.approx(base + 30)
    assert need.cores == 2  # 4 * 10 * 2 * 90 / 5400 = 1.3
    assert need.minutes == pytest.approx(7.5)
    assert need.disk == pytest.approx(plan.SHARED + 10 * plan.HOME)
    assert need.nodes == 1
    assert plan.need(500, 3_000_000_000, [2000], [90]).nodes == 18  # 29 fit into 62 GB
    with pytest.raises(ValueError, match="not 0"):
        plan.need(0, 1, [1], [1])


def test_the_table_of_the_page_is_the_computed_one():
    section = plan.section(list(plan.CLASSES), plan.size(plan.LIMIT))
    page = plan.PAGE.read_text(encoding="utf-8")
    assert section in page, "teaching/server.md is out of step: python teaching/server/plan.py --page"


def test_the_page_is_renewed_between_its_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"above\n{plan.MARKS[0]}\nold\n{plan.MARKS[1]}\nbelow\n")
    for _ in range(2):
        plan.renew(page, "new")
        assert page.read_text() == f"above\n{plan.MARKS[0]}\nnew\n{plan.MARKS[1]}\nbelow\n"
    page.write_text(f"{plan.MARKS[1]} {plan.MARKS[0]}")
    with pytest.raises(ValueError, match="must hold"):
        plan.renew(page, "new")


@pytest.mark.parametrize(("text", "size"), [("3G", 3 * 2**30), ("2.5g", 5 * 2**29), ("1500M", 1500 * 2**20)])
def test_sizes(text, size):
    assert plan.size(text) == size


@pytest.mark.parametrize("text", ["", "3", "3GB", "-3G", "0G", "G"])
def test_no_sizes(text):
    with pytest.raises(ValueError, match="no size of memory"):
        plan.size(text)


def test_lessons_count_where_they_took_most(tmp_path):
    runs = {
        "a": {"cores": 2, "lessons": {"01": {"seconds": 10, "megabytes": 900}, "02": {"seconds": 9, "megabytes": 5}}},
        "b": {"cores": 4, "lessons": {"01": {"seconds": 6, "megabytes": 800}}},
    }
    (tmp_path / "timings.json").write_text(json.dumps({"processors": runs}))
    assert plan.lessons(tmp_path / "timings.json") == ([900, 5], [24, 18])


# --- Kubernetes, and the proxy ---------------------------------------------------------------------------------------

# Keys of the chart's values, from its schema (jupyterhub/zero-to-jupyterhub-k8s, jupyterhub/values.schema.yaml); below
# hub.config stands what is JupyterHub's own.
CHART = set(
    """
hub.config proxy.https.enabled proxy.https.hosts proxy.https.letsencrypt.contactEmail
singleuser.image.name singleuser.image.tag singleuser.image.pullPolicy singleuser.cmd singleuser.defaultUrl
singleuser.uid singleuser.fsGid singleuser.startTimeout singleuser.memory.guarantee singleuser.memory.limit
singleuser.cpu.guarantee singleuser.cpu.limit singleuser.storage.type singleuser.storage.capacity
singleuser.storage.homeMountPath singleuser.networkPolicy.enabled singleuser.networkPolicy.egress
singleuser.networkPolicy.egressAllowRules prePuller.hook.enabled prePuller.continuous.enabled
scheduling.podPriority.enabled scheduling.userPlaceholder.enabled scheduling.userPlaceholder.replicas
scheduling.userScheduler.enabled cull.enabled cull.timeout cull.every cull.maxAge
""".split()  # noqa: SIM905 - to be read
)


def paths(values, above=""):
    for key, value in values.items():
        path = f"{above}{key}"
        if isinstance(value, dict) and path not in CHART:
            yield from paths(value, f"{path}.")
        else:
            yield path, value


def test_the_values_are_keys_of_the_chart():
    values = yaml.safe_load((ROOT / "teaching/server/kubernetes/values.yaml").read_text(encoding="utf-8"))
    found = dict(paths(values))
    assert set(found) <= CHART
    # What holds for one machine holds here, too.
    memory, _ = plan.lessons()
    assert plan.size(found["singleuser.memory.limit"]) > (plan.SERVER + max(memory)) * 1e6
    assert found["singleuser.cmd"][-1].endswith("teaching/server/begin.py")
    docker = (ROOT / "teaching/server/kubernetes/Dockerfile").read_text(encoding="utf-8")
    assert found["singleuser.cmd"][-1] in docker
    assert "USER jovyan" in docker
    assert found["hub.config"]["NativeAuthenticator"]["open_signup"] is False


def test_the_proxy_is_locked():
    folder = ROOT / "teaching" / "server" / "proxy"
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]
    lock = json.loads((folder / "package-lock.json").read_text())["packages"]
    assert lock[""]["dependencies"] == wanted
    for name, version in wanted.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), "the version is not pinned"
        assert lock[f"node_modules/{name}"]["version"] == version
    assert all("integrity" in package and "resolved" not in package for name, package in lock.items() if name)


@pytest.mark.skipif(shutil.which("make") is None or os.name == "nt", reason="there is no make here")
def test_the_page_names_the_targets_and_options_that_there_are():
    page = (ROOT / "teaching" / "server.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make (hub\w*)", page):
        assert re.search(rf"^{target}:", makefile, re.M), target
    options = {option for action in launch._parser()._actions for option in action.option_strings}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", page.split("## Kubernetes")[0])) - {"--create-home", "--shell"}
    assert named <= options
    assert options - {"-h", "--help"} <= named

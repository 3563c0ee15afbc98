"""Addresses of MongoDB: refusals without a server, and how addresses are shown."""

import pytest

from chatcore.errors import StoreError, Unavailable
from chatcore_mongo import MongoDatabase

pytestmark = pytest.mark.anyio

NO_FILE = "tlsCertificateKeyFile=/nowhere/geheim.pem&tlsCertificateKeyFilePassword=geheim"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("mongodb://", "mongodb://host:port/database"),
        ("mongodb:///geheim", "mongodb://host:port/database"),
        ("mongodb://[geheim", "mongodb://host:port/database"),
        ("mongodb://h:geheim/", "mongodb://host:port/database"),
        ("mongodb://h/$geheim", "names a database"),
        ("mongodb://h/geheim%20b", "names a database"),
        ("mongodb://h/local", "local and config are MongoDB's own"),
        ("mongodb://h/a.geheim", "names a database"),
        ("mongodb://bob:x@h/a%2Fgeheim?w=1", "names a database"),
        ("mongodb://h/geheim" + 58 * "a", "names a database"),
        ("mongodb://bob:ge@heim@h/", "written as %2F %3A %40"),
        ("mongodb://bob:12/geheim@h/", "written as %2F %3A %40"),
        ("mongodb://bob:12/geheim@h", "written as %2F %3A %40"),
        ("mongodb://bob:x@geheim/x@h?w=1", "written as %2F %3A %40"),
        ("mongodb+srv://geheim.a.b/x@h", "written as %2F %3A %40"),
        ("mongodb://bob:geheim?@h/", "written as %2F %3A %40"),
        ("mongodb://h/?w=geheim&x", "mongodb://host:port/database"),
        ("mongodb://h/?geheim=1", "an unknown option"),
        ("mongodb://h/?serverSelectionTimeoutMS=geheim", "an invalid value"),
        (f"mongodb://h/?tls=true&{NO_FILE}", "A file that the address of MongoDB names"),
    ],
)
async def test_malformed_address_is_refused_in_one_line_without_its_text(address: str, reason: str) -> None:
    for open_database in (MongoDatabase(address).__aenter__, lambda: MongoDatabase(address).migrate(lambda *_: None)):
        with pytest.raises(StoreError) as refused:
            await open_database()
        assert reason in str(refused.value)
        assert "geheim" not in str(refused.value)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("userinfo", ["", "bob:geheim@", "bob:geheim@geheim@"])
@pytest.mark.parametrize("path", ["", "/", "/geheim", "/?appname=geheim", "?appname=geheim@h/@geheim"])
def test_where_is_the_hosts_of_the_address(userinfo: str, path: str) -> None:
    for hosts in ("h", "h:27018", "a:1,[::1]:2"):
        assert MongoDatabase(f"mongodb://{userinfo}{hosts}{path}").where == hosts


def test_where_of_an_address_that_is_only_a_host_is_that_host() -> None:
    assert MongoDatabase("nonsense").where == "nonsense"


async def test_log_of_a_fault_has_no_secret_of_the_address(caplog: pytest.LogCaptureFixture) -> None:
    database = MongoDatabase("mongodb://bob:geheim@db.example:27017/chat?appname=geheim")
    with pytest.raises(Unavailable):
        async with database.time_limit():
            raise Unavailable
    assert "MongoDB at db.example:27017 can't be written to" in caplog.text
    assert "geheim" not in caplog.text

"""Faults in the command line: its settings and the commands of a client."""

from collections.abc import Mapping, Sequence

from .fault import Fault

CLI = "tests/unit/test_server_cli.py::"
CONFIG = "tests/unit/test_server_config.py::"

PROMISES: Mapping[str, Sequence[Fault]] = {
    "A flag precedes the environment, then come .env and chatcore.toml": (
        Fault(
            "toml-precedes-dotenv",
            "chatcore_server:_app",
            "config=[_dotenv, _toml,",
            "config=[_toml, _dotenv,",
            f"{CLI}test_flag_precedes_environment_and_then_come_dotenv_and_toml[PORT]",
        ),
        Fault(
            "unknown-key-of-toml-ignored",
            "chatcore_server:read_toml",
            "for key, value in table.items()",
            "for key, value in table.items() if key in get_type_hints(Settings)",
            "tests/unit/test_server_toml.py::test_wrong_file_is_refused_in_one_line_that_names_key_and_remedy",
        ),
    ),
    "chatcore config shows what is in force, with secrets masked": (
        Fault(
            "password-of-store-shown",
            "chatcore_server:_shown",
            'masked_address(str(value)) if name == "store" else str(value)',
            "str(value)",
            f"{CONFIG}test_secret_and_password_of_the_store_are_never_shown[form0]",
        ),
        Fault(
            "source-of-dotenv-is-default",
            "chatcore_server:_note_sources",
            "if argument.tokens:",
            'if argument.tokens and argument.tokens[-1].source != ".env":',
            f"{CONFIG}test_every_source_of_a_value_is_named",
        ),
    ),
}

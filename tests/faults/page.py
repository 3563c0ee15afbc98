"""Faults that break promises about the page: how it is built, and how it is served."""

from collections.abc import Mapping, Sequence

from .fault import Fault

BUILD = "tests/integration/test_page_build.py"
FILES = "tests/integration/test_page_files.py"
HOOK = "tests/unit/test_hatch_build.py"
SERVING = "tests/unit/test_page_serving.py"

CHAT = "tests/integration/test_page_chat.py"
LOG = "chatcore_web/page/log.js"

PROMISES: Mapping[str, Sequence[Fault]] = {
    "History is scrolled without jumps, with at most 300 messages in the document": (
        Fault(
            "page-keeps-all-messages-in-document",
            f"{LOG}:MAX",
            "300",
            "30_000",
            f"{CHAT}::test_history_is_scrolled_without_jumps_and_with_at_most_300_messages",
        ),
        Fault(
            "page-jumps-when-history-is-loaded",
            f"{LOG}:Log.keepPlace",
            "scrollTop += moved",
            "scrollTop += 0",
            f"{CHAT}::test_history_is_scrolled_without_jumps_and_with_at_most_300_messages",
        ),
    ),
    "Third-party files are those that are pinned": (
        Fault(
            "third-party-file-of-another-hash-is-kept",
            "hatch_build:unpack",
            "third_party.integrity(content) != file.integrity",
            "not content",
            f"{HOOK}::test_member_that_is_not_the_pinned_file_is_refused",
        ),
        Fault(
            "third-party-file-is-written-where-the-tarball-says",
            "hatch_build:unpack",
            "for file in package.files:",
            "getattr(archive, 'extractall')(third_party.VENDOR, filter='fully_trusted')\nfor file in package.files:",
            f"{HOOK}::test_paths_in_a_tarball_are_written_nowhere",
        ),
        Fault(
            "changed-third-party-file-counts-as-there",
            "chatcore_web:_is_kept",
            "== file.integrity",
            "!= file.kept_as",
            f"{HOOK}::test_changed_or_removed_file_is_taken_again",
        ),
    ),
    "Third-party files that are there are not taken again": (
        Fault(
            "third-party-files-are-always-taken",
            "hatch_build:take_missing",
            "wanted = third_party.missing(packages, third_party.VENDOR)",
            "wanted = packages",
            f"{HOOK}::test_files_with_their_hashes_are_not_taken_again",
        ),
        Fault(
            "wheel-of-an-sdist-needs-npm",
            "hatch_build:take_missing",
            "wanted = third_party.missing(packages, third_party.VENDOR)",
            "wanted = packages",
            f"{BUILD}::test_sdist_and_the_wheel_made_of_it_without_npm_hold_every_file_of_page",
        ),
    ),
    "Without npm everything but the page works, and no sdist is made": (
        Fault(
            "sdist-without-the-page",
            "hatch_build:PageFilesHook.initialize",
            'self.target_name == "sdist"',
            "False",
            f"{BUILD}::test_sdist_without_npm_is_refused",
        ),
        Fault(
            "build-fails-without-npm",
            "hatch_build:PageFilesHook.initialize",
            'self.target_name == "sdist"',
            "True",
            f"{BUILD}::test_wheel_without_npm_is_built_without_third_party_files_and_says_so",
        ),
        Fault(
            "page-without-its-third-party-files",
            "chatcore_web:is_complete",
            None,
            "return True",
            f"{FILES}::test_server_without_third_party_files_says_so_and_shows_the_first_steps",
        ),
    ),
    "The page runs its own scripts alone": (
        Fault(
            "import-map-is-not-allowed",
            "chatcore_web:_document_headers",
            " 'sha256-{digest}'",
            "",
            f"{FILES}::test_browser_loads_page_without_complaint_and_from_this_server_alone",
        ),
        Fault(
            "inline-script-is-allowed",
            "chatcore_web:_document_headers",
            "'sha256-{digest}'",
            "'unsafe-inline'",
            f"{FILES}::test_planted_script_does_not_run",
        ),
        Fault(
            "html-is-made-of-text",
            "chatcore_web:_document_headers",
            "require-trusted-types-for 'script'; ",
            "",
            f"{FILES}::test_no_script_can_make_html_of_a_text",
        ),
    ),
    "Only files of the page are served, and each changed one again": (
        Fault(
            "file-beside-the-page-is-served",
            "chatcore_web:_files",
            'yield "/", INDEX',
            'yield "/", INDEX\nyield "/page/vendor.css", HERE / "page" / "styles.css"',
            f"{SERVING}::test_every_file_of_page_is_served_and_nothing_else",
        ),
        Fault(
            "page-files-have-one-tag",
            "chatcore_web:_tagged",
            "entity_tag(body)",
            "entity_tag(b'')",
            f"{SERVING}::test_client_that_has_a_file_gets_it_only_when_it_has_changed",
        ),
        Fault(
            "changed-file-is-not-read-again-in-a-clone",
            "chatcore_web:_Served.content",
            "_IS_CLONE and",
            "False and",
            f"{SERVING}::test_changed_file_is_read_again_in_a_clone_only",
        ),
        Fault(
            "gzip-for-a-client-that-does-not-take-it",
            "chatcore_web:_takes_gzip",
            '"q=0")',
            '"")',
            f"{SERVING}::test_file_is_compressed_for_clients_that_take_gzip",
        ),
    ),
}

"""Faults that break the wire contract, `docs/protocol.md`."""

from collections.abc import Mapping, Sequence

from .fault import Fault

HISTORY = "tests/unit/test_history.py"
DOCUMENTS = "tests/unit/test_documents.py"
CODEC = "tests/unit/test_http_codec.py"
COOKIE = "tests/unit/test_refresh_cookie.py"
OVER_HTTP = "tests/integration/test_rights_matrix.py::test_every_user_gets_answer_of_table_over_http"
OVER_SOCKETS = "tests/integration/test_rights_matrix.py::test_every_user_gets_answer_of_table_over_socket"

PROMISES: Mapping[str, Sequence[Fault]] = {
    # The documents.
    "The documents say what the contract says": tuple(
        Fault(name, symbol, right, wrong, f"{DOCUMENTS}::{test}")
        for name, symbol, right, wrong, test in (
            (
                "bound-of-first-members-changed",
                "chatcore.commands:FIRST_MEMBERS_MAX",
                "100",
                "99",
                "test_bounds_of_lists_are_stated_in_section_of_command",
            ),
            (
                "bound-of-title-changed",
                "chatcore.commands.fields:title",
                "200",
                "100",
                "test_bounds_of_fields_are_those_of_contract",
            ),
            (
                "refusal-of-stale-edit-not-documented",
                "chatcore.commands:EditMessage",
                '"conflict":',
                '"not_found":',
                "test_refusals_of_command_are_those_of_contract",
            ),
            (
                "room-without-peer-in-documents",
                "chatcore.protocol:_room_properties",
                "peer=str, ",
                "",
                "test_room_and_entries_have_fields_of_contract",
            ),
            (
                "push-not-documented",
                "chatcore.protocol:PUSHES",
                '"room.gone": RoomGone,',
                "",
                "test_documents_have_exactly_the_pushes_of_contract",
            ),
            (
                "path-example-of-another-type",
                "chatcore_http:_path_value",
                "example.fields[name]",
                "str(example.fields[name])",
                "test_examples_fit_their_schemas_and_have_no_other_fields",
            ),
        )
    ),
    "Clients keep a document, and ask again": (
        Fault(
            "kept-document-is-sent-again",
            "chatcore_http:has_one_of",
            "tag in kept",
            "False",
            "tests/integration/test_document_addresses.py::test_document_is_kept_by_clients_and_asked_for_again",
        ),
    ),
    "The examples of the documents are answered as shown": (
        Fault(
            "example-with-another-answer",
            "chatcore.protocol.examples:EXAMPLES",
            'answer={"rooms": 1, "messages": 1}',
            'answer={"rooms": 1, "messages": 2}',
            "tests/integration/test_document_examples.py::test_frames_of_page_are_answered_as_shown",
        ),
    ),
    # Values, answers and errors.
    "Equal refusals are equal byte for byte": (
        Fault(
            "refusal-reveals-room",
            "chatcore.domain:refusal",
            "else NotFound()",
            'else NotFound("Out." if kind else None)',
            OVER_SOCKETS,
        ),
    ),
    "JSON that readers interpret differently is `invalid`": tuple(
        Fault(
            name,
            "chatcore_http.codec:_decoded_plain",
            old,
            new,
            f"{CODEC}::test_text_that_encodes_to_itself_is_decoded_as_the_strict_decoder_does",
        )
        for name, old, new in (
            ("name-twice-is-taken", "encoded != (text.encode() if isinstance(text, str) else text)", "False"),
            ("large-integer-is-taken", ", option=orjson.OPT_STRICT_INTEGER", ""),
        )
    ),
    # Blocks.
    "A blocked user cannot write in the private room": (
        Fault(
            "blocked-user-may-react",
            "chatcore.domain.permissions:WRITING",
            'frozenset({"send", "edit", "react"})',
            'frozenset({"send", "edit"})',
            OVER_SOCKETS,
        ),
    ),
    "A blocked user does not find the user who blocks": (
        Fault(
            "people-finds-blocker",
            "chatcore.commands.people:FindPeople.handle",
            "if (user, context.user) not in blocks",
            "",
            "tests/unit/test_find_people.py::test_user_who_blocks_is_not_found_by_the_blocked_user",
        ),
    ),
    "A block hides presence in both directions": (
        Fault(
            "blocker-sees-blocked-user",
            "chatcore.live.presence:Presence._blocks_between",
            "((user, other), (other, user))",
            "((user, other),)",
            "tests/unit/test_presence.py::test_strangers_unknown_users_and_blocked_users_are_equal",
        ),
    ),
    "Only members of a common room see each other": (
        Fault(
            "invited-user-sees-presence",
            "chatcore.ports.log_store:LogStore.fellow_members",
            "any(other in room.members for room in rooms)",
            "any(room.listed_member(other) for room in rooms)",
            "tests/unit/test_presence.py::test_user_is_shown_once_a_room_is_shared_and_not_while_invited",
        ),
    ),
    "Presence can be switched off": (
        Fault(
            "presence-stays-on",
            "chatcore.live.presence:Presence.read",
            "not self.enabled",
            "False",
            "tests/unit/test_presence.py::test_presence_switched_off_shows_everybody_offline_and_stores_nothing",
        ),
    ),
    "People are found whatever the case": (
        Fault(
            "prefix-compared-as-written",
            "chatcore.commands.people:FindPeople.handle",
            "search_form(self.prefix)",
            "self.prefix",
            "tests/unit/test_find_people.py::test_case_and_width_of_the_prefix_make_no_difference",
        ),
    ),
    "Public rooms are found whatever the case of their titles": (
        Fault(
            "title-prefix-compared-as-written",
            "chatcore.commands.rooms:ListPublicRooms.handle",
            'title_form(self.prefix or "")',
            'self.prefix or ""',
            "tests/unit/test_public_rooms.py::test_public_rooms_are_listed_to_strangers_by_title",
        ),
    ),
    "`rooms.public` shows no room that `room.get` refuses": (
        Fault(
            "public-rooms-beyond-the-rights",
            "chatcore.commands.rooms:ListPublicRooms.handle",
            'if not permissions.refusal("get", view.kind, view.member, context.rights)',
            "",
            "tests/unit/test_public_rooms.py::test_room_that_room_get_refuses_by_the_rules_of_the_host_is_missing",
        ),
        Fault(
            "public-rooms-with-bans",
            "chatcore.ports.log_store:LogStore.public_rooms",
            "if not placed[1].has_banned(user)",
            "",
            "tests/unit/test_memory_store.py::TestMemoryRooms::test_user_banned_from_many_rooms_gets_short_pages_to_the_end",
        ),
    ),
    "A page of public rooms fits into an answer": (
        Fault(
            "public-rooms-of-any-size",
            "chatcore.commands.rooms:ListPublicRooms.handle",
            "await page_that_fits(await read(self.limit), read)",
            "await read(self.limit)",
            "tests/unit/test_public_rooms.py::test_page_of_large_rooms_fits_into_an_answer_and_the_next_goes_on",
        ),
        Fault(
            "public-rooms-of-strangers-measured-as-of-members",
            "chatcore.commands.answer_sizes:room_size",
            "view.member is None",
            "False",
            "tests/unit/test_public_rooms.py::test_page_of_large_rooms_fits_into_an_answer_and_the_next_goes_on",
        ),
    ),
    "No room is created with a member who has blocked the creator": (
        Fault(
            "room-created-with-blocker",
            "chatcore.commands.rooms:CreateRoom.event",
            "facts.blocked_by and not facts.trusted",
            "False",
            "tests/unit/test_blocks.py::test_room_with_a_member_who_blocks_the_creator_is_forbidden",
        ),
    ),
    # Sessions.
    "A refresh token that is used again after 5 s revokes its session": (
        Fault(
            "spent-refresh-token-does-not-revoke-session",
            "chatcore.accounts:Accounts.refresh",
            "await self._end(rotation.session)",
            "pass",
            "tests/unit/test_accounts_refresh.py::test_spent_token_revokes_its_session_after_5_s",
        ),
    ),
    "`auth.refresh` takes a token of the same user and session": (
        Fault(
            "socket-refreshed-by-other-session",
            "chatcore:Sockets._refresh",
            "(principal.user, principal.session) != (info.user, info.session)",
            "principal.user != info.user",
            "tests/unit/live/test_access_expiry.py"
            "::test_token_of_another_session_or_user_is_refused_and_the_deadline_stays",
        ),
    ),
    "Comes 60 s before the token's end": (
        Fault(
            "socket-warned-at-each-refresh",
            "chatcore.live.access_expiry:AccessExpiry.set",
            "now + left / 2 if deadline and left < WARNING else at - WARNING",
            "at - WARNING",
            "tests/unit/live/test_access_expiry.py::test_refresh_by_a_short_token_is_warned_of_at_half_of_its_time",
        ),
    ),
    # Sending and reading.
    "A key with other content is `key_reused`": (
        Fault(
            "different-contents-with-same-digest",
            "chatcore.commands:RoomCommand._content_digest",
            'f"{len(value)}:{value}"',
            "value",
            "tests/unit/test_domain.py::test_digests_are_equal_exactly_for_equal_contents",
        ),
    ),
    "`first_unread` is the first unread message's seq": (
        Fault(
            "page-around-first-unread-cut-around-newest",
            "chatcore.commands:_place",
            "next(unread, window.head)",
            "window.head",
            f"{HISTORY}::test_page_around_the_first_unread_message_is_cut_on_both_sides",
        ),
    ),
    "A page that is cut for its size reports it": (
        Fault(
            "cut-page-without-has-before",
            "chatcore.commands:_cut",
            "has_before = True",
            "pass",
            f"{HISTORY}::test_page_cut_for_its_size_reports_missing_entries",
        ),
    ),
    "An answer of `sync` does not exceed its size": (
        Fault(
            "markers-not-counted-to-size-of-sync",
            "chatcore.commands:_within",
            "if not budget.has(markers_size(view)):",
            "if False:",
            "tests/unit/live/test_isolation.py::test_answer_of_a_sync_leaves_out_markers_above_its_size_limit",
        ),
    ),
    # Markers.
    "Markers never move back": (
        Fault(
            "delivered-position-moved-back-by-late-hint",
            "chatcore.live:MarkerPushes._is_ahead",
            " and marker.delivered >= delivered",
            "",
            "tests/unit/live/test_markers.py::test_late_hints_move_neither_position_of_a_marker_back",
        ),
    ),
    # Rights.
    "A member gets `forbidden`, every other user `not_found`": (
        Fault(
            "non-member-gets-forbidden",
            "chatcore.domain:refusal",
            "if kind is not None and user_rank in MEMBERS",
            "if kind is not None",
            OVER_HTTP,
        ),
    ),
    "Admins act on plain members only": (
        Fault(
            "admin-removes-owner",
            "chatcore.domain:may_act_on",
            'rank(member) == "owner"',
            "rank(member) in LEADERS",
            OVER_HTTP,
        ),
    ),
    # Connecting.
    "DISCONNECT is sent only after a `bye` that is not resumable": (
        Fault(
            "socketio-disconnect-after-resumable-bye",
            "chatcore_socketio:SocketConnection",
            "if not bye.resumable:",
            "if True:",
            "tests/integration/socketio/test_end.py::test_bye_names_reason_and_only_final_bye_is_followed_by_disconnect",
        ),
    ),
    "A websocket whose user comes from a cookie needs an admitted `Origin`": (
        Fault(
            "cookie-without-origin-connects",
            "chatcore_websocket:Handler._open_socket",
            "not self._handshake.has_origin",
            "False",
            "tests/integration/test_plain_websocket.py::test_cookie_without_origin_is_refused",
        ),
    ),
    "A frame of the plain WebSocket with an unknown member is `bye protocol`": (
        Fault(
            "plain-frame-with-unknown-member-accepted",
            "chatcore_websocket:PlainHandler._handle_frame",
            'rest.keys() <= {"id", "data"}',
            "True",
            "tests/integration/test_plain_websocket.py::test_frame_of_unknown_shape_ends_with_bye_protocol",
        ),
    ),
    # Rate limits.
    "Only a trusted proxy may name the client of a forwarded request": (
        Fault(
            "forwarded-address-of-any-peer-trusted",
            "chatcore_http:Proxies._forwarded_to_proxies",
            "while hops and self.trusts(named[-1] if named else peer):",
            "while hops:",
            "tests/unit/test_http_proxies.py",
        ),
    ),
    # Sessions of pages.
    "A page's refresh token is in a cookie that no script and no other site can use": tuple(
        Fault(name, f"chatcore_http:{symbol}", right, wrong, f"{COOKIE}::{test}")
        for name, symbol, right, wrong, test in (
            (
                "refresh-token-shown-beside-cookie",
                "AccountRoutes._keep_in_cookie",
                'shown.pop("refresh_token")',
                'shown["refresh_token"]',
                "test_answers_with_cookie_show_no_refresh_token_and_are_not_stored",
            ),
            (
                "cookie-that-scripts-read",
                "set_cookie",
                "HttpOnly; ",
                "",
                "test_cookie_has_exactly_these_attributes",
            ),
            (
                "cookie-that-other-sites-send",
                "set_cookie",
                "SameSite=Strict",
                "SameSite=Lax",
                "test_cookie_has_exactly_these_attributes",
            ),
            (
                "cookie-without-the-prefix",
                "AccountRoutes._cookie",
                'f"{self.prefix}{COOKIE_PATH}"',
                "COOKIE_PATH",
                "test_cookie_has_exactly_these_attributes",
            ),
            (
                "cookie-of-tls-not-secure",
                "AccountRoutes._cookie",
                "is_secure=request.is_secure",
                "is_secure=False",
                "test_cookie_has_exactly_these_attributes",
            ),
            (
                "cookie-of-a-fixed-lifetime",
                "AccountRoutes._keep_in_cookie",
                "self.accounts.session_idle",
                "timedelta(days=30)",
                "test_cookie_lives_as_long_as_an_unused_session",
            ),
        )
    ),
    "The cookie counts only with an admitted Origin and JSON": tuple(
        Fault(name, f"chatcore_http:{symbol}", right, wrong, f"{COOKIE}::{test}")
        for name, symbol, right, wrong, test in (
            (
                "cookie-without-origin-refreshes",
                "AccountRoutes._refresh_by_cookie",
                '"Origin" not in request.headers or not',
                "not",
                "test_refresh_by_cookie_without_origin_is_invalid_and_spends_nothing",
            ),
            (
                "cookie-without-json-refreshes",
                "AccountRoutes._refresh_by_cookie",
                "or not is_json(request)",
                "",
                "test_refresh_by_cookie_without_json_type_is_invalid_and_spends_nothing",
            ),
            (
                "cookie-beside-refresh-token-counts",
                "AccountRoutes._refresh",
                "if body.refresh_token is None:",
                'if "Cookie" in request.headers:',
                "test_cookie_is_ignored_where_body_has_refresh_token",
            ),
        )
    ),
    "A refused cookie is cleared, and one that does not count stays": tuple(
        Fault(name, f"chatcore_http:{symbol}", right, wrong, f"{COOKIE}::{test}")
        for name, symbol, right, wrong, test in (
            (
                "refused-cookie-stays",
                "AccountRoutes._refresh_by_cookie",
                'headers=self._cookie(request, "", NO_TIME)',
                "headers={}",
                "test_refused_cookie_is_cleared",
            ),
            (
                "cookie-cleared-by-temporary-error",
                "AccountRoutes._refresh_by_cookie",
                "except Unauthenticated as error:",
                "except Exception as error:",
                "test_cookie_stays_after_a_temporary_error",
            ),
            (
                "double-cookie-cleared",
                "AccountRoutes._refresh_by_cookie",
                "raise Unauthenticated(cookies.fault or NO_COOKIE)",
                'return problem(Unauthenticated(), headers=self._cookie(request, "", NO_TIME))',
                "test_missing_malformed_or_double_cookie_is_refused_and_stays",
            ),
            (
                "sign-out-leaves-the-cookie",
                "AccountRoutes._sign_out",
                'headers=self._cookie(request, "", NO_TIME)',
                "headers={}",
                "test_sign_out_clears_cookie_of_its_session_also_spent_or_wrong",
            ),
            (
                "sign-out-clears-cookie-of-another-session",
                "AccountRoutes._sign_out",
                "self.accounts.session_of(token) not in (None, session)",
                "False",
                "test_sign_out_leaves_cookie_of_another_session_and_sets_none_without_one",
            ),
            (
                "late-answer-sets-spent-cookie",
                "AccountRoutes._refresh_by_cookie",
                "newest=True",
                "newest=False",
                "test_late_request_with_spent_cookie_gets_the_newest_one",
            ),
        )
    ),
    "No page of another origin signs in or refreshes": (
        Fault(
            "origin-of-session-not-checked",
            "chatcore_http:Guard.first_response",
            "if refusal := self.origins.refusal(request):",
            "if False and (refusal := self.origins.refusal(request)):",
            f"{COOKIE}::test_request_of_other_origin_is_forbidden_and_does_nothing",
        ),
    ),
    "A cookie is Secure where a trusted proxy says that the client uses TLS": (
        Fault(
            "forwarded-scheme-not-passed-on",
            "chatcore_aiohttp:add_proxies",
            "request.clone(remote=client, scheme=scheme)",
            "request.clone(remote=client)",
            "tests/integration/test_serve_cookies.py::test_only_trusted_proxy_makes_cookie_secure",
        ),
    ),
    "The scheme of a client is the one that a trusted proxy names": tuple(
        Fault(name, "chatcore_http:Proxies.scheme", right, wrong, "tests/unit/test_http_proxies.py")
        for name, right, wrong in (
            ("forwarded-scheme-of-any-peer-trusted", "if not named or not self.trusts(peer):", "if not named:"),
            ("forwarded-scheme-of-the-client-itself", "named[-min(max(hops, 1), len(named))]", "named[0]"),
            ("forwarded-scheme-of-the-last-proxy", "named[-min(max(hops, 1), len(named))]", "named[-1]"),
        )
    ),
    # Rules of this server.
    "A request for another host gets 421": (
        Fault(
            "host-not-checked",
            "chatcore_http:Guard.first_response",
            "request.path not in self.any_host",
            "False",
            "tests/integration/test_serve_hosts.py::test_server_on_loopback_refuses_other_host_with_421",
        ),
    ),
}

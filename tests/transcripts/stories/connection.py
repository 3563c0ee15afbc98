"""The connection: refusals, pauses, dead connections, ends, and tokens."""

from ..story import BOB, CAROL, TEA, UNAUTHENTICATED, UNAVAILABLE, Chapter, Story, error, group, invitation, private

CHAPTER = Chapter()
rule = CHAPTER.rule

STATES = "docs/clients.md, Connection 1: `state` is `connecting` until the first `ready`, then `online`, `offline` after a break, and `ended`"
ERROR = "docs/clients.md, Connection 1: `error` is the last error, or null since `ready`"
PAUSES = "docs/clients.md, Connection 2: After a break the client waits 1 s, doubled up to 5 s with each attempt without a `ready`"
LATE = "docs/clients.md, Connection 2: An attempt without `ready` after 10 s has failed, and the client closes it"
DEAD = "docs/clients.md, Connection 3: A command without an answer after 10 s means that the connection is dead"
RETRY_AFTER = "docs/clients.md, Connection 2: the client waits at least `retry_after_ms` of `bye`"
ENDS = "docs/clients.md, Connection 4: `bye` with `resumable: false`, a `SignedOut`, and an `unauthenticated` for a token that is no function end the client"
REFUSED = "docs/clients.md, Connection 4: A `connect_error` of code `unauthenticated` calls `token` with the refused token, at once"
BREAK = "docs/clients.md, Connection 4: Any other `connect_error` counts as a break"
EXPIRING = "docs/clients.md, Connection 5: On `auth.expiring` the client calls `token` with the present token, and sends `auth.refresh`"
NOTHING_BEFORE = "docs/clients.md, Connection 6: The client sends nothing before `ready`"
IGNORES = (
    "docs/protocol.md, Apply pushes 1: clients ignore kinds, fields, pushes, codes and features that they do not know"
)
RESUMABLE = "docs/protocol.md, Tokens and the end 2: On `bye` with `resumable: true`, connect again and resume"
ANY_ERROR = "docs/clients.md, The surface: after any other error the client tries again"
CLOSE = "docs/clients.md, The surface: `close` closes the connection and keeps the store"
SIXTY_SECONDS = 60_000


@rule(STATES)
def client_is_connecting_until_ready_and_then_online(s: Story) -> None:
    s.do("connect")
    s.opens()
    s.status("connecting", user=None, error=None)
    s.ready(private("bob", 3))
    s.status("online", user="alice", error=None)


@rule(STATES)
def client_without_rooms_is_online(s: Story) -> None:
    s.online()
    s.status("online")
    s.state({"rooms": []})


@rule(STATES)
def client_is_offline_after_a_break_and_online_again(s: Story) -> None:
    s.online()
    s.breaks()
    s.status("offline", user="alice")
    s.wait(1000)
    s.opens()
    s.status("offline")
    s.ready()
    s.status("online")


@rule(STATES, PAUSES)
def client_without_ready_stays_connecting_after_a_break(s: Story) -> None:
    s.do("connect")
    s.opens()
    s.breaks()
    s.status("connecting")
    s.wait(1000)
    s.opens()
    s.ready()
    s.status("online")


@rule(NOTHING_BEFORE)
def message_before_ready_waits_for_ready(s: Story) -> None:
    s.do("connect")
    s.opens()
    s.do("send", room=BOB, body="early")
    s.wait(100)
    s.ready(private("bob"))
    s.sent(s.asks_send(BOB, "early", "k1"), BOB, 1)
    s.state({"store": []})


@rule(NOTHING_BEFORE)
def commands_before_ready_go_out_in_their_order(s: Story) -> None:
    s.do("connect")
    s.opens()
    s.do("send", room=BOB, body="first")
    s.do("send", room=BOB, body="second")
    s.do("call", event="people", data={"prefix": "b"})
    s.ready(private("bob"))
    label = s.asks_send(BOB, "first", "k1")
    s.out("people", {"prefix": "b"})
    s.sent(label, BOB, 1)
    s.asks_send(BOB, "second", "k2")


@rule(PAUSES)
def first_pause_is_one_second(s: Story) -> None:
    s.online()
    s.breaks()
    s.wait(999)
    s.wait(1)
    s.opens()


@rule(PAUSES)
def pauses_double_up_to_five_seconds(s: Story) -> None:
    s.do("connect")
    s.opens()
    for pause in (1000, 2000, 4000, 5000, 5000):
        s.breaks()
        s.wait(pause - 1)
        s.wait(1)
        s.opens()


@rule(PAUSES)
def pause_is_one_second_again_after_ready(s: Story) -> None:
    s.do("connect")
    s.opens()
    for pause in (1000, 2000):
        s.breaks()
        s.wait(pause)
        s.opens()
    s.ready()
    s.breaks()
    s.wait(999)
    s.wait(1)
    s.opens()


@rule(PAUSES, "docs/protocol.md, A refused connection: the websocket is closed with 1013")
def connection_that_ends_before_ready_is_tried_again(s: Story) -> None:
    s.do("connect")
    s.opens()
    s.breaks(1013)
    s.wait(1000)
    s.opens()
    s.breaks(1013)
    s.wait(1999)
    s.wait(1)
    s.opens()
    s.ready()
    s.status("online")


def comes_back_after_code(code: int) -> None:
    @rule("docs/protocol.md, Connecting over a plain WebSocket: the client connects again", PAUSES)
    def story(s: Story) -> None:
        s.online()
        s.breaks(code)
        s.status("offline")
        s.wait(1000)
        s.opens()
        s.ready()
        s.status("online")

    CHAPTER.rename(story, f"client_connects_again_after_close_code_{code}")


for _code in (1001, 1006, 1011, 1012, 1013):
    comes_back_after_code(_code)


@rule(LATE)
def attempt_without_ready_is_closed_after_ten_seconds(s: Story) -> None:
    s.do("connect")
    s.opens()
    s.wait(9999)
    s.wait(1)
    s.closes()
    s.status("connecting")
    s.wait(999)
    s.wait(1)
    s.opens()
    s.ready()
    s.status("online")


@rule(LATE, PAUSES)
def pause_after_a_second_late_ready_is_two_seconds(s: Story) -> None:
    s.do("connect")
    s.opens()
    s.wait(10_000)
    s.closes()
    s.wait(1000)
    s.opens()
    s.wait(10_000)
    s.closes()
    s.wait(1999)
    s.wait(1)
    s.opens()


@rule(LATE)
def ready_just_in_time_is_taken(s: Story) -> None:
    s.do("connect")
    s.opens()
    s.wait(9900)
    s.ready()
    s.wait(SIXTY_SECONDS)
    s.status("online")


@rule(LATE)
def late_ready_after_a_break_closes_the_attempt_too(s: Story) -> None:
    s.online()
    s.breaks()
    s.wait(1000)
    s.opens()
    s.wait(10_000)
    s.closes()
    s.status("offline")
    s.wait(2000)
    s.opens()


@rule(DEAD)
def connection_without_an_answer_is_closed_after_ten_seconds(s: Story) -> None:
    s.online(private("bob"))
    s.sends(BOB, "hi", "k1")
    s.wait(9999)
    s.wait(1)
    s.closes()
    s.status("offline")
    s.wait(1000)
    s.opens()


@rule(DEAD)
def push_is_no_answer_for_a_command_that_waits(s: Story) -> None:
    s.online(private("bob"), private("carol"))
    s.sends(BOB, "hi", "k1")
    s.wait(6000)
    s.push("marker", {"room": CAROL, "user": "carol", "read": 0, "delivered": 0})
    s.wait(4000)
    s.closes()


@rule(DEAD)
def answer_in_time_keeps_the_connection(s: Story) -> None:
    s.online(private("bob"))
    label = s.sends(BOB, "hi", "k1")
    s.wait(9900)
    s.sent(label, BOB, 1)
    s.wait(SIXTY_SECONDS)
    s.status("online")


@rule(DEAD)
def answer_to_one_command_does_not_answer_another(s: Story) -> None:
    s.online(private("bob"), private("carol"))
    s.sends(BOB, "to bob", "k1")
    s.wait(5000)
    carol = s.sends(CAROL, "to carol", "k2")
    s.sent(carol, CAROL, 1)
    s.wait(5000)
    s.closes()


@rule(DEAD)
def sync_without_an_answer_closes_the_connection(s: Story) -> None:
    s.online(private("bob", 3))
    s.comes_back(private("bob", 3))
    s.asks_sync({BOB: 3})
    s.wait(10_000)
    s.closes()
    s.wait(1000)
    s.opens()


@rule(DEAD)
def idle_connection_is_not_closed(s: Story) -> None:
    s.online(private("bob", 3))
    s.wait(600_000)
    s.status("online")


def comes_back_after_bye(code: str) -> None:
    @rule(RESUMABLE)
    def story(s: Story) -> None:
        s.online(private("bob", 3))
        s.push("bye", {"code": code, "resumable": True})
        s.breaks(1013 if code == "slow" else 1001)
        s.status("offline", error={"code": code})
        s.wait(1000)
        s.opens()
        s.ready(private("bob", 3))
        s.asks_sync({BOB: 3})
        s.status("online", error=None)

    CHAPTER.rename(story, f"client_resumes_after_bye_{code}")


for _bye in ("slow", "shutdown", "expired", "unheard_of"):
    comes_back_after_bye(_bye)


@rule(RETRY_AFTER)
def bye_with_retry_after_makes_the_pause_longer(s: Story) -> None:
    s.online()
    s.push("bye", {"code": "shutdown", "resumable": True, "retry_after_ms": 7000})
    s.breaks(1001)
    s.wait(6999)
    s.wait(1)
    s.opens()


@rule(RETRY_AFTER, PAUSES)
def bye_with_short_retry_after_does_not_shorten_the_pause(s: Story) -> None:
    s.online()
    s.push("bye", {"code": "shutdown", "resumable": True, "retry_after_ms": 300})
    s.breaks(1001)
    s.wait(999)
    s.wait(1)
    s.opens()


@rule(RETRY_AFTER)
def retry_after_of_bye_counts_for_one_pause(s: Story) -> None:
    s.online()
    s.push("bye", {"code": "shutdown", "resumable": True, "retry_after_ms": 7000})
    s.breaks(1001)
    s.wait(7000)
    s.opens()
    s.ready()
    s.breaks()
    s.wait(1000)
    s.opens()


def ends_after_bye(code: str) -> None:
    @rule(ENDS)
    def story(s: Story) -> None:
        s.online(private("bob", 3))
        s.push("bye", {"code": code, "resumable": False})
        s.breaks(1002 if code == "protocol" else 1000)
        s.status("ended", error={"code": code})
        s.wait(SIXTY_SECONDS)
        s.status("ended")

    CHAPTER.rename(story, f"client_ends_after_bye_{code}")


for _bye in ("signed_out", "kicked", "protocol", "unheard_of"):
    ends_after_bye(_bye)


@rule(ENDS, CLOSE)
def ended_client_keeps_what_is_not_sent(s: Story) -> None:
    s.online(private("bob", 3))
    s.sends(BOB, "hi", "k1")
    s.push("bye", {"code": "signed_out", "resumable": False})
    s.breaks(1000)
    s.state({"store": [{"body": "hi", "key": "$k1"}]})


@rule(ENDS)
def sign_out_before_the_connection_ends_the_client(s: Story) -> None:
    s.tokens = [{"signed_out": True}]
    s.do("connect")
    s.status("ended", error={})
    s.wait(SIXTY_SECONDS)
    s.status("ended")


@rule(ENDS)
def sign_out_after_a_break_ends_the_client(s: Story) -> None:
    s.tokens = ["token-1", {"signed_out": True}]
    s.online()
    s.breaks()
    s.wait(1000)
    s.status("ended", error={})
    s.wait(SIXTY_SECONDS)


@rule(ENDS, REFUSED)
def sign_out_after_a_refusal_ends_the_client(s: Story) -> None:
    s.tokens = ["token-1", {"signed_out": True}]
    s.do("connect")
    s.opens()
    s.connection_refused(UNAUTHENTICATED)
    s.status("ended", error={})
    s.wait(SIXTY_SECONDS)


@rule(ANY_ERROR, PAUSES)
def token_function_that_fails_is_called_again_after_the_pause(s: Story) -> None:
    s.tokens = [{"fails": True}, {"fails": True}, "token-1"]
    s.do("connect")
    s.status("connecting", error={})
    s.wait(999)
    s.wait(1)
    s.wait(1999)
    s.wait(1)
    s.opens()
    s.ready()
    s.status("online", error=None)


@rule(ANY_ERROR)
def token_function_that_fails_after_a_break_is_called_again(s: Story) -> None:
    s.tokens = ["token-1", {"fails": True}, "token-2"]
    s.online()
    s.breaks()
    s.wait(1000)
    s.status("offline", error={})
    s.wait(2000)
    s.opens("token-2")


@rule(REFUSED)
def refused_token_is_given_to_the_token_function(s: Story) -> None:
    s.tokens = ["token-1", "token-2"]
    s.do("connect")
    s.asks_token()
    s.opens()
    s.connection_refused(UNAUTHENTICATED)
    s.asks_token("token-1")
    s.opens("token-2")
    s.ready()
    s.status("online", error=None)


@rule(REFUSED, "docs/clients.md, Connection 4: if the next attempt is refused so too, that is a break")
def second_refusal_of_a_token_is_a_break(s: Story) -> None:
    s.tokens = ["token-1", "token-2", "token-3"]
    s.do("connect")
    s.opens()
    s.connection_refused(UNAUTHENTICATED)
    s.opens("token-2")
    s.connection_refused(UNAUTHENTICATED)
    s.status("connecting", error={"code": "unauthenticated"})
    s.wait(999)
    s.wait(1)
    s.asks_token("token-2")
    s.opens("token-3")
    s.ready()


@rule(
    "docs/clients.md, The surface: `token` is called before each connection, with the token that was refused, or nothing"
)
def token_function_is_called_without_argument_after_a_break(s: Story) -> None:
    s.tokens = ["token-1", "token-2"]
    s.online()
    s.breaks()
    s.wait(1000)
    s.asks_token()
    s.opens("token-2")


@rule("docs/protocol.md, Tokens and the end 2: after `expired` with a new access token")
def connection_after_bye_expired_has_a_new_token(s: Story) -> None:
    s.tokens = ["token-1", "token-2"]
    s.online()
    s.push("bye", {"code": "expired", "resumable": True})
    s.breaks(1001)
    s.wait(1000)
    s.opens("token-2")
    s.ready()
    s.status("online")


@rule(ENDS)
def refused_token_that_is_no_function_ends_the_client(s: Story) -> None:
    s.tokens = "token-1"
    s.do("connect")
    s.opens()
    s.connection_refused(UNAUTHENTICATED)
    s.status("ended", error={"code": "unauthenticated"})
    s.wait(SIXTY_SECONDS)


@rule(PAUSES)
def token_that_is_no_function_serves_every_connection(s: Story) -> None:
    s.tokens = "token-1"
    s.online()
    s.breaks()
    s.wait(1000)
    s.opens("token-1")


def tries_again_after_refusal(code: str, *, temporary: bool) -> None:
    @rule(BREAK, ERROR)
    def story(s: Story) -> None:
        s.do("connect")
        s.opens()
        s.connection_refused(error(code, temporary=temporary))
        s.status("connecting", error={"code": code})
        s.wait(999)
        s.wait(1)
        s.opens()
        s.ready()
        s.status("online", error=None)

    CHAPTER.rename(story, f"connection_refused_as_{code}_is_tried_again")


tries_again_after_refusal("forbidden", temporary=False)
tries_again_after_refusal("unavailable", temporary=True)


@rule(EXPIRING)
def expiring_token_is_refreshed_in_band(s: Story) -> None:
    s.tokens = ["token-1", "token-2"]
    s.online()
    s.push("auth.expiring", {"expires_in": 60})
    s.asks_token("token-1")
    s.answer(s.out("auth.refresh", {"token": "token-2"}), {"expires_in": 900})
    s.wait(SIXTY_SECONDS)
    s.status("online", error=None)


@rule(EXPIRING)
def second_expiry_gives_the_refreshed_token_to_the_function(s: Story) -> None:
    s.tokens = ["token-1", "token-2", "token-3"]
    s.online()
    s.push("auth.expiring", {"expires_in": 60})
    s.answer(s.out("auth.refresh", {"token": "token-2"}), {"expires_in": 900})
    s.push("auth.expiring", {"expires_in": 60})
    s.asks_token("token-2")
    s.out("auth.refresh", {"token": "token-3"})


@rule(EXPIRING, "docs/protocol.md, auth.refresh: the socket continues as before")
def refused_refresh_leaves_the_connection_open(s: Story) -> None:
    s.tokens = ["token-1", "token-2"]
    s.online(private("bob"))
    s.push("auth.expiring", {"expires_in": 60})
    s.refuse(s.out("auth.refresh", {"token": "token-2"}), UNAUTHENTICATED)
    s.status("online")
    s.sent(s.sends(BOB, "hi", "k1"), BOB, 1)


@rule(ENDS, EXPIRING)
def sign_out_on_an_expiring_token_ends_the_client(s: Story) -> None:
    s.tokens = ["token-1", {"signed_out": True}]
    s.online()
    s.push("auth.expiring", {"expires_in": 60})
    s.closes()
    s.status("ended", error={})
    s.wait(SIXTY_SECONDS)


@rule(ANY_ERROR, EXPIRING)
def token_function_that_fails_on_expiry_leaves_the_connection_open(s: Story) -> None:
    s.tokens = ["token-1", {"fails": True}, "token-2"]
    s.online(private("bob"))
    s.push("auth.expiring", {"expires_in": 60})
    s.status("online")
    s.push("bye", {"code": "expired", "resumable": True})
    s.breaks(1001)
    s.status("offline")


@rule(EXPIRING)
def expiring_right_after_ready_is_refreshed_too(s: Story) -> None:
    s.tokens = ["token-1", "token-2"]
    s.online(expires_in=20)
    s.push("auth.expiring", {"expires_in": 20})
    s.out("auth.refresh", {"token": "token-2"})


@rule(CLOSE)
def closed_client_closes_its_connection_and_stays_away(s: Story) -> None:
    s.online(private("bob", 3))
    s.do("close")
    s.closes()
    s.status("ended")
    s.wait(SIXTY_SECONDS)
    s.status("ended")


@rule(CLOSE)
def client_closed_in_a_pause_does_not_connect(s: Story) -> None:
    s.online()
    s.breaks()
    s.wait(500)
    s.do("close")
    s.wait(SIXTY_SECONDS)
    s.status("ended")


@rule(CLOSE)
def client_closed_before_ready_closes_the_attempt(s: Story) -> None:
    s.do("connect")
    s.opens()
    s.do("close")
    s.closes()
    s.wait(SIXTY_SECONDS)
    s.status("ended")


@rule(CLOSE)
def closed_client_keeps_what_is_not_sent(s: Story) -> None:
    s.online(private("bob"))
    s.sends(BOB, "hi", "k1")
    s.do("close")
    s.closes()
    s.state({"store": [{"key": "$k1", "body": "hi"}]})


@rule(ERROR)
def error_of_a_break_is_gone_after_ready(s: Story) -> None:
    s.online()
    s.push("bye", {"code": "slow", "resumable": True})
    s.breaks(1013)
    s.status("offline", error={"code": "slow"})
    s.wait(1000)
    s.opens()
    s.ready()
    s.status("online", error=None)


@rule(IGNORES)
def unknown_pushes_are_ignored(s: Story) -> None:
    s.online(private("bob", 3))
    s.push("confetti", {"room": BOB, "colours": ["red"]})
    s.push("room.confetti", {"room": "room-" + 26 * "z"})
    s.status("online")
    s.sent(s.sends(BOB, "hi", "k1"), BOB, 4)


@rule(IGNORES)
def unknown_features_and_fields_of_ready_are_ignored(s: Story) -> None:
    s.online(private("bob", 3, colour="red"), features=["presence", "telepathy"], weather={"rain": True})
    s.status("online")
    s.state({"rooms": [{"room": BOB, "head": 3}]})


@rule(IGNORES)
def unknown_error_code_of_a_refused_connection_is_a_break(s: Story) -> None:
    s.do("connect")
    s.opens()
    s.connection_refused(error("out_of_tea"))
    s.wait(1000)
    s.opens()


@rule(NOTHING_BEFORE, DEAD)
def answer_of_an_ended_connection_does_not_count(s: Story) -> None:
    s.online(private("bob"))
    s.sends(BOB, "hi", "k1")
    s.comes_back(private("bob"))
    sync = s.out("sync", {"cursors": {BOB: {"seq": 0}}})
    label = s.asks_send(BOB, "hi", "k1")
    s.synced(sync, {BOB: {"status": "events", "epoch": "epoch-1", "head": 0, "entries": []}})
    s.wait(9999)
    s.wait(1)
    s.closes()
    s.state({"store": [{"key": "$k1"}]})
    del label


@rule(STATES)
def rooms_are_still_shown_while_offline(s: Story) -> None:
    s.online(private("bob", 3), group(TEA, "Tea", 2), invitation("room-" + 26 * "i", "Invited"))
    s.breaks()
    s.status("offline")
    s.state({"rooms": [{"room": "room-" + 26 * "i"}, {"room": BOB}, {"room": TEA}]})


@rule(PAUSES, "docs/clients.md, Connection 7: After a temporary error it is asked again, after the pause of Messages 5")
def temporary_error_of_a_list_does_not_end_the_connection(s: Story) -> None:
    s.online(private("bob", 3), next="page-2")
    s.refuse(s.out("rooms", {"after": "page-2"}), UNAVAILABLE)
    s.status("online")
    s.wait(99)
    s.wait(1)
    s.answer(s.out("rooms", {"after": "page-2"}), {"rooms": [private("carol", 1)]})
    s.state({"rooms": [{"room": BOB}, {"room": CAROL}]})

"""User names by precis-i18n."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from precis_i18n import get_profile

from chatcore.ids import is_user_id
from chatcore_security import canonical_username


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("bob", "bob"),
        ("Alice", "alice"),
        ("\uff21\uff4c\uff49\uff43\uff45", "alice"),  # full width
        ("Bo\u0308b", "b\u00f6b"),  # NFC
        ("ΑΣ", "ας"),
        ("a-b_c.d@e", "a-b_c.d@e"),
        ("{x}/%2e", "{x}/%2e"),
        ("~", "~"),
        ("...", "..."),
        ("אבג", "אבג"),
        ("x" * 32, "x" * 32),
        ("A\u0308" * 32, "\u00e4" * 32),  # 64 characters, 32 after mapping
    ],
)
def test_name_has_one_canonical_form(name: str, canonical: str) -> None:
    assert canonical_username(name) == canonical
    assert canonical_username(canonical) == canonical


@pytest.mark.parametrize(
    "name",
    ["", " ", "a b", ".", "..", "\uff0e\uff0e", "a\x00", "a\nb", "\ud800", "🙂", "Ⅷ", "\u200d", "\u202eabc", "אa"],
)
def test_name_refused_by_precis_or_as_an_id_is_none(name: str) -> None:
    assert canonical_username(name) is None


@pytest.mark.parametrize("name", ["x" * 33, "\u00e4" * 33, "A\u0308" * 33, "A\u0308" * 65, "x" * 1_000_000], ids=len)
def test_name_that_is_too_long_is_none(name: str) -> None:
    assert canonical_username(name) is None


@given(st.text(max_size=40) | st.text(st.characters(codec="ascii"), max_size=40))
def test_canonical_username_of_any_text_is_a_stable_user_id_or_none(name: str) -> None:
    canonical = canonical_username(name)
    if canonical is not None:
        assert is_user_id(canonical)
        assert 1 <= len(canonical) <= 32
        assert canonical_username(canonical) == canonical


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=32))
def test_canonical_form_of_ascii_names_is_that_of_the_profile(name: str) -> None:
    canonical = get_profile("UsernameCaseMapped").enforce(name)
    assert canonical_username(name) == (canonical if is_user_id(canonical) else None)

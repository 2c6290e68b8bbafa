"""Query strings: valid OData, encoded for the wire, within the limits of the contract."""

from urllib.parse import parse_qsl, quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odata_query.grammar import ODataLexer, ODataParser

from app.dataverse.queries import (
    SearchPlan,
    build_account_query,
    build_case_query,
    build_contact_query,
    build_path,
    encode,
    plan_search,
    quote_text,
    write_literals,
)
from app.routing.callers import Selection
from app.routing.numbers import spell_number
from app.settings import PhoneSettings, VipSettings
from tests.dataverse.wire import ORG, read_organisation

PLAN = SearchPlan(
    contact_phones=("mobilephone", "telephone1"),
    account_phones=("telephone1",),
    contact_columns=frozenset({"new_vip"}),
    account_columns=frozenset({"accountcategorycode"}),
    account_depth=2,
)
NOTHING = Selection()


def read_options(path: str) -> dict[str, str]:
    """Decode a path the way a server does, after httpx had it in its hands."""
    return dict(parse_qsl(httpx.URL(f"{ORG}/{path}").query.decode(), strict_parsing=True))


def parse(text: str) -> object:
    return ODataParser().parse(ODataLexer().tokenize(text))


def test_contacts_are_asked_for_with_their_companies() -> None:
    """The GET for contacts is the one of section 3.4, with parents to the configured depth."""
    selection = Selection(contact_columns=frozenset({"jobtitle"}), account_columns=frozenset({"industrycode"}))

    path = build_contact_query(PLAN, selection, write_literals(("+358501234567", "050 1234567")))

    assert path.startswith("contacts?")
    account = "$select=accountid,name,statecode,_ownerid_value,_owninguser_value,accountcategorycode,industrycode"
    assert read_options(path) == {
        "$select": "contactid,fullname,mobilephone,telephone1,modifiedon,_ownerid_value,_owninguser_value,"
        "jobtitle,new_vip",
        "$expand": f"parentcustomerid_account({account};$expand=parentaccountid({account};"
        f"$expand=parentaccountid({account})))",
        "$filter": "(mobilephone eq '+358501234567' or mobilephone eq '050 1234567' or "
        "telephone1 eq '+358501234567' or telephone1 eq '050 1234567') and statecode eq 0",
        "$orderby": "modifiedon desc",
        "$top": "10",
    }


def test_accounts_are_asked_for_with_their_parents() -> None:
    """The GET for accounts has no order, which would cost, and no parents at depth zero."""
    plan = SearchPlan(contact_phones=("mobilephone",), account_phones=("telephone1",))

    assert read_options(build_account_query(plan, NOTHING, write_literals(("+358501234567",)))) == {
        "$select": "accountid,name,telephone1,modifiedon,_ownerid_value,_owninguser_value",
        "$filter": "(telephone1 eq '+358501234567') and statecode eq 0",
        "$top": "10",
    }
    assert (
        read_options(build_account_query(PLAN, NOTHING, write_literals(("+1",))))["$expand"].count("parentaccountid")
        == 2
    )


def test_the_owners_agent_is_expanded_where_a_column_holds_it() -> None:
    """The owner's column is read for the record and its company, in the nested form of each query."""
    plan = SearchPlan(
        contact_phones=("mobilephone",), account_phones=("telephone1",), agent_column="new_agent", account_depth=1
    )
    owner = "owninguser($select=systemuserid,new_agent)"

    contacts = read_options(build_contact_query(plan, NOTHING, write_literals(("+1",))))["$expand"]
    accounts = read_options(build_account_query(plan, NOTHING, write_literals(("+1",))))["$expand"]

    account = "$select=accountid,name,statecode,_ownerid_value,_owninguser_value"
    assert contacts == f"parentcustomerid_account({account};$expand=parentaccountid({account}),{owner}),{owner}"
    assert accounts == f"parentaccountid({account}),{owner}"


def test_open_cases_are_asked_for_by_customer() -> None:
    """The GET for cases names every customer without quotes and only active cases."""
    assert read_options(build_case_query({"b2", "a1"})) == {
        "$select": "incidentid,_customerid_value",
        "$filter": "(_customerid_value eq a1 or _customerid_value eq b2) and statecode eq 0",
        "$top": "250",
    }


def test_a_plus_and_an_apostrophe_survive_the_wire() -> None:
    """`+` is sent as %2B, a blank as %20, an apostrophe doubled."""
    path = build_path("contacts", {"$filter": f"a eq {quote_text('+358 O' + chr(39) + 'Brien')}"})

    assert path == "contacts?$filter=a%20eq%20%27%2B358%20O%27%27Brien%27"
    assert httpx.URL(f"{ORG}/{path}").raw_path.decode() == "/" + path


@pytest.mark.parametrize("text", ["50%", "a_b", "[x]", "a\nb", "a\x00"])
def test_wildcards_and_control_characters_are_left_out(text: str) -> None:
    """What the server would read as a pattern is never sent as a number."""
    assert write_literals((text, "050 1")) == ("%27050%201%27",)


@pytest.mark.parametrize("column", ["a,b", "a b", "A", "x)", "$x", "", "a;$expand=y", "x" * 102])
def test_names_that_are_no_columns_are_refused(column: str) -> None:
    """A column name cannot smuggle anything into the query."""
    with pytest.raises(ValueError, match="no logical name"):
        build_contact_query(PLAN, Selection(contact_columns=frozenset({column})), ("%2B1",))


NUMBERS = ["+358501234567", "+491712345678", "+13175550125", "+442079460000", "+390612345678", "+41446681800"]


@pytest.mark.parametrize("e164", NUMBERS)
def test_every_filter_is_valid_odata_within_the_limits(e164: str) -> None:
    """With eight columns and every spelling a filter parses, has fewer than 200 clauses and fits in a URL."""
    columns = tuple(f"address1_telephone{number}" for number in range(8))
    plan = SearchPlan(contact_phones=columns, account_phones=columns, account_depth=5, agent_column="new_agent")
    literals = write_literals(spell_number(e164, ("+### ## ### ####", "0## ### ## ##", "O'##%####")))

    for path in (build_contact_query(plan, NOTHING, literals), build_account_query(plan, NOTHING, literals)):
        filter_ = read_options(path)["$filter"]
        assert parse(filter_) is not None
        assert filter_.count(" eq ") < 200
        assert f"'{e164}'" in filter_
        assert len(path) < 32_768
        assert read_options(path)["$expand"].count("$expand") + 2 <= 15
    assert parse(read_options(build_case_query({"70bf4d48-34cb-ed11-b596-0022481d68cd"}))["$filter"]) is not None


@given(st.text(max_size=20))
def test_any_text_is_a_literal_that_parses_back(text: str) -> None:
    """A quoted text means exactly that text to an independent parser."""
    assert parse(f"a eq {quote_text(text)}").right.val == text


def test_the_plan_follows_from_the_settings() -> None:
    """Phones come from the organisation's settings, columns and depth from the VIP criteria."""
    vip = VipSettings.model_validate(
        {"criteria": [{"table": "contact", "column": "new_vip", "value": True}], "account_depth": 1}
    )

    assert plan_search(read_organisation(agent_id_column="new_agent"), vip, PhoneSettings()) == SearchPlan(
        contact_phones=("mobilephone", "telephone1", "telephone2"),
        account_phones=("telephone1", "telephone2"),
        contact_columns=frozenset({"new_vip"}),
        account_depth=1,
        agent_column="new_agent",
    )


@given(st.text() | st.text(st.characters(codec="ascii")))
def test_texts_are_encoded_as_the_standard_library_does(text: str) -> None:
    """Whatever a filter holds arrives as it was meant."""
    assert encode(text) == quote(text.encode(errors="replace"), safe="(),/:")

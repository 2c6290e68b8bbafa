"""Roles, teams and profiles are given and taken by `$ref`."""

from collections.abc import Callable

import httpx
import pytest

Id = Callable[[int], str]
ROOT = "https://org.example/api/data/v9.2/"


async def roles_of(api: httpx.AsyncClient, user: str) -> list[str]:
    rows = (await api.get(f"systemusers({user})/systemuserroles_association?$select=roleid")).json()["value"]
    return [row["roleid"] for row in rows]


@pytest.mark.parametrize(
    "form", ["systemuserroles_association({role})/$ref", "systemuserroles_association/$ref?$id={url}"]
)
async def test_a_role_is_given_and_taken(api: httpx.AsyncClient, make_id: Id, form: str) -> None:
    """Both forms of removal are equivalent."""
    user, role = make_id(11), make_id(31)
    url = f"{ROOT}roles({role})"

    given = await api.post(f"systemusers({user})/systemuserroles_association/$ref", json={"@odata.id": url})
    held = await roles_of(api, user)
    taken = await api.delete(f"systemusers({user})/{form.format(role=role, url=url)}")

    assert (given.status_code, held, taken.status_code) == (204, [role], 204)
    assert await roles_of(api, user) == []


async def test_giving_and_taking_twice_is_refused(api: httpx.AsyncClient, make_id: Id) -> None:
    """The second time nothing is left to do."""
    path = f"systemusers({make_id(11)})/systemuserroles_association"
    body = {"@odata.id": f"{ROOT}roles({make_id(31)})"}

    given = [(await api.post(f"{path}/$ref", json=body)).status_code for _ in range(2)]
    taken = [(await api.delete(f"{path}({make_id(31)})/$ref")).status_code for _ in range(2)]

    assert (given, taken) == ([204, 412], [204, 404])


@pytest.mark.parametrize(
    ("user", "role", "word"), [(11, 32, "business unit"), (12, 31, "disabled")], ids=["other unit", "disabled user"]
)
async def test_roles_need_the_same_business_unit_and_an_enabled_user(
    api: httpx.AsyncClient, make_id: Id, user: int, role: int, word: str
) -> None:
    """The copy of a role in another business unit does not fit, nor does any role fit a disabled user."""
    path = f"systemusers({make_id(user)})/systemuserroles_association/$ref"

    response = await api.post(path, json={"@odata.id": f"{ROOT}roles({make_id(role)})"})

    assert response.status_code == 400
    assert word in response.json()["error"]["message"]


async def test_a_role_reaches_a_user_through_a_team(api: httpx.AsyncClient, make_id: Id) -> None:
    """Teams hold roles too."""
    path = f"teams({make_id(21)})/teamroles_association"

    given = await api.post(f"{path}/$ref", json={"@odata.id": f"{ROOT}roles({make_id(31)})"})
    rows = (await api.get(f"{path}?$select=name")).json()["value"]

    assert (given.status_code, [row["name"] for row in rows]) == (204, ["Voice User"])


@pytest.mark.parametrize(
    ("path", "reference", "status"),
    [
        ("systemusers({0})/systemuserroles_association/$ref", "teams({1})", 400),
        ("systemusers({0})/systemuserroles_association/$ref", "nonsense", 400),
        ("systemusers({0})/systemuserroles_association/$ref", "roles({0})", 404),
        ("systemusers({2})/systemuserroles_association/$ref", "roles({1})", 404),
        ("systemusers({0})/nothing/$ref", "roles({1})", 404),
        ("systemusers({0})/businessunitid/$ref", "businessunits({0})", 501),
    ],
)
async def test_references_that_do_not_fit_are_refused(
    api: httpx.AsyncClient, make_id: Id, path: str, reference: str, status: int
) -> None:
    """Both ends and the navigation between them must exist and belong together."""
    ids = make_id(11), make_id(31), make_id(404)

    response = await api.post(path.format(*ids), json={"@odata.id": ROOT + reference.format(*ids)})

    assert response.status_code == status

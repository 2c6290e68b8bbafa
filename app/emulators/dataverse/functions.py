"""Answers the Web API functions the product calls (Dataverse contract, sections 7.1 and 7.3)."""

import re

from starlette.responses import Response

from app.emulators.dataverse.access import find_roles, list_privileges
from app.emulators.dataverse.answers import answer_json
from app.emulators.dataverse.errors import no_such_row, not_emulated
from app.emulators.dataverse.query import read_query
from app.emulators.dataverse.rendering import Renderer, render_context
from app.emulators.dataverse.requests import ApiRequest, read_id
from app.emulators.dataverse.tables import Row, Tables

_AAD_KEY = re.compile(r"DirectoryObjectId=(?P<id>[^,]+)")
_PRIVILEGES = "Microsoft.Dynamics.CRM.RetrieveUserPrivileges"


class Functions:
    """Knows the functions by name."""

    def __init__(self, *, tables: Tables, organisation_id: str) -> None:
        self._tables = tables
        self._organisation_id = organisation_id

    def find(self, request: ApiRequest) -> str | None:
        """Return the name of the function a GET calls, None when it reads rows."""
        name = request.path[-1].name
        if name.startswith("Microsoft.Dynamics.CRM.") or name in {"WhoAmI", "RetrieveAadUserRoles"}:
            return name
        return None

    def call(self, request: ApiRequest, name: str) -> Response:
        """Answer a function. Raises WireError (501) for one that is not emulated."""
        first = request.path[0]
        match name:
            case "WhoAmI":
                return self._who_am_i(request)
            case "RetrieveAadUserRoles":
                return self._roles_of_directory_object(request)
            case _ if name == _PRIVILEGES and first.name == "systemusers" and first.key:
                return self._privileges(request, read_id(first.key))
        raise not_emulated(f"The function {name}")

    def _who_am_i(self, request: ApiRequest) -> Response:
        return answer_json(
            {
                "@odata.context": f"{request.root}/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse",
                "BusinessUnitId": request.user.get("_businessunitid_value"),
                "UserId": request.user["systemuserid"],
                "OrganizationId": self._organisation_id,
            }
        )

    def _privileges(self, request: ApiRequest, user_id: str) -> Response:
        user = self._tables.find("systemusers", user_id)
        if user is None:
            raise no_such_row("systemuser", user_id)
        context = f"{request.root}/$metadata#Microsoft.Dynamics.CRM.RetrieveUserPrivilegesResponse"
        return answer_json({"@odata.context": context, "RolePrivileges": list_privileges(self._tables, user)})

    def _roles_of_directory_object(self, request: ApiRequest) -> Response:
        match = _AAD_KEY.fullmatch(request.path[0].key or "")
        object_id = read_id(match["id"] if match else "")
        user = self._find_by_object_id(object_id)
        query = read_query(request.options, self._tables.schema["roles"], self._tables)
        renderer = Renderer(tables=self._tables, annotations=request.prefer.annotations)
        rows = [renderer.render(role, query) for role in query.select_rows(find_roles(self._tables, user))]
        return answer_json({"@odata.context": render_context(request.root, query), "value": rows})

    def _find_by_object_id(self, object_id: str) -> Row:
        users = self._tables.rows("systemusers")
        user = next((row for row in users if row.get("azureactivedirectoryobjectid") == object_id), None)
        if user is None:
            raise no_such_row("systemuser", object_id)
        return user

"""Answers associate and disassociate on `$ref` (Dataverse contract, sections 7.3 and 7.4)."""

from uuid import uuid4

from starlette.responses import Response

from app.emulators.dataverse.access import require_privilege
from app.emulators.dataverse.answers import answer_nothing
from app.emulators.dataverse.binding import read_reference
from app.emulators.dataverse.errors import (
    DUPLICATE_ROW,
    NO_SUCH_ROW,
    UNSPECIFIED,
    WireError,
    bad_payload,
    bad_query,
    method_not_allowed,
    no_such_row,
    not_emulated,
    unknown_segment,
)
from app.emulators.dataverse.reading import Reader
from app.emulators.dataverse.requests import ApiRequest, Segment, find_table, read_id
from app.emulators.dataverse.schema import Cardinality, Navigation, Table
from app.emulators.dataverse.tables import Row, Tables

_ROLE_LINKS = frozenset({"systemuserrolescollection", "teamrolescollection"})


class Linker:
    """Adds and removes the rows behind many-to-many navigations."""

    def __init__(self, *, tables: Tables, reader: Reader) -> None:
        self._tables = tables
        self._reader = reader

    def associate(self, request: ApiRequest) -> Response:
        """Answer `POST <set>(<key>)/<navigation>/$ref` with a body `{"@odata.id": <address>}`."""
        table, row, navigation, _ = self._resolve(request)
        target = self._target(navigation, request.read_object().get("@odata.id"))
        self._require_assignable(request, table, row, navigation, target)
        if self._find_link(table, row, navigation, target):
            raise WireError(412, DUPLICATE_ROW, "Cannot insert duplicate key.")
        link = self._tables.schema[navigation.link]
        pair = {navigation.column: row[table.key], navigation.far_column: self._key_of(navigation, target)}
        self._tables.store(navigation.link, {link.key: str(uuid4())} | pair)
        return answer_nothing()

    def disassociate(self, request: ApiRequest) -> Response:
        """Answer `DELETE …/<navigation>(<id>)/$ref` and `DELETE …/<navigation>/$ref?$id=<address>`."""
        table, row, navigation, segment = self._resolve(request)
        if segment.key is None:
            target = self._target(navigation, request.options.get("$id"))
        else:
            target = self._find_target(navigation, read_id(segment.key))
        self._require_assignable(request, table, row, navigation, target)
        link = self._find_link(table, row, navigation, target)
        if link is None:
            raise WireError(404, NO_SUCH_ROW, "The association to remove does not exist.")
        self._tables.remove(navigation.link, link[self._tables.schema[navigation.link].key])
        return answer_nothing()

    def _resolve(self, request: ApiRequest) -> tuple[Table, Row, Navigation, Segment]:
        match request.path:
            case (Segment(key=str(key)) as first, segment, Segment(name="$ref", key=None)):
                table = find_table(self._tables.schema, first)
            case _:
                raise method_not_allowed(request.method)
        navigation = table.navigations.get(segment.name)
        if navigation is None:
            raise unknown_segment(segment.name)
        if navigation.cardinality is not Cardinality.LINKED:
            raise not_emulated("$ref on a navigation other than many-to-many")
        return table, self._reader.find(table, key), navigation, segment

    def _target(self, navigation: Navigation, reference: object) -> Row:
        try:
            entity_set, key = read_reference(reference)
        except ValueError as exc:
            raise bad_payload(f"Invalid reference: {exc}") from exc
        if entity_set != navigation.target:
            raise bad_query(f"The navigation '{navigation.name}' leads to {navigation.target}, not to {entity_set}.")
        return self._find_target(navigation, key)

    def _find_target(self, navigation: Navigation, key: str) -> Row:
        target = self._tables.find(navigation.target, key)
        if target is None:
            raise no_such_row(self._tables.schema[navigation.target].logical_name, key)
        return target

    def _find_link(self, table: Table, row: Row, navigation: Navigation, target: Row) -> Row | None:
        pair = {navigation.column: row[table.key], navigation.far_column: self._key_of(navigation, target)}
        return next((link for link in self._tables.rows(navigation.link) if pair.items() <= link.items()), None)

    def _key_of(self, navigation: Navigation, target: Row) -> str:
        return str(target[self._tables.schema[navigation.target].key])

    def _require_assignable(
        self, request: ApiRequest, table: Table, row: Row, navigation: Navigation, target: Row
    ) -> None:
        """Roles are assigned to enabled users and teams of the role's own business unit (contract, section 7.3).

        Which codes Dataverse gives for a mismatch is not documented, so the code is the unspecific one.
        """
        if navigation.link not in _ROLE_LINKS:
            require_privilege(self._tables, request.user, "Write", table)
            return
        require_privilege(self._tables, request.user, "prvAssignRole", table)
        role, holder = (row, target) if table.logical_name == "role" else (target, row)
        if holder.get("isdisabled"):
            raise WireError(400, UNSPECIFIED, "Roles of a disabled user cannot be changed.")
        if role.get("_businessunitid_value") != holder.get("_businessunitid_value"):
            raise WireError(400, UNSPECIFIED, "The role and its holder are not in the same business unit.")

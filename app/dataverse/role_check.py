"""Are the roles of Voice there?"""

from app.dataverse.client import DataverseClient
from app.dataverse.errors import DataverseError
from app.dataverse.queries import build_path
from app.settings import Role, VoiceSettings
from app.settings.base import PREFIX
from app.settings.check_results import CheckResult

__all__ = ["check_roles"]

_NO_ACCESS = "give the role of the application user Read on Security Role at organisation level"
_NO_VOICE = "install Voice for Dynamics 365 in this environment, or check whether the role was renamed"
_NO_EQUIVALENT = f"correct {PREFIX}VOICE__EQUIVALENT_ROLES"


async def check_roles(client: DataverseClient, voice: VoiceSettings) -> list[CheckResult]:
    """Look for the roles of Voice by name, and for those the settings put beside Voice User.

    Source: administrator guide, "Required User Roles & Privileges".
    """
    wanted = {role.value: _NO_VOICE for role in Role} | dict.fromkeys(voice.equivalent_roles, _NO_EQUIVALENT)
    # Text with what would be wildcards finds more than it should; names are compared again below.
    condition = " or ".join("name eq '" + name.replace("'", "''") + "'" for name in wanted)
    try:
        answer = await client.get_json(build_path("roles", {"$select": "name", "$filter": condition}))
    except DataverseError as error:
        return [CheckResult("roles of Voice", ok=False, detail=error.detail, hint=_NO_ACCESS)]
    rows = answer.get("value")
    found = {
        str(row.get("name")).casefold() for row in (rows if isinstance(rows, list) else []) if isinstance(row, dict)
    }
    missing = [
        CheckResult(f"role {name}", ok=False, detail="does not exist", hint=hint)
        for name, hint in wanted.items()
        if name.casefold() not in found
    ]
    return missing or [CheckResult("roles of Voice", ok=True, detail=", ".join(wanted))]

"""Users and tokens: list, make, change."""

from litestar import get, post
from litestar.params import FromPath

from holdfast.api import wire, wire_access
from holdfast.api.request import Asked, body_of, house_of, person_of, query_of


@get("/v1/users")
async def list_users(request: Asked) -> wire.Page[wire_access.UserView]:
    """List the users, by name."""
    query_of(request, wire.Nothing)
    found = await house_of(request).staff.users(person_of(request))
    return wire.Page([wire_access.user(one) for one in found])


@post("/v1/users", status_code=200, opt={"body": wire_access.AddUser})
async def add_user(request: Asked) -> wire_access.UserView:
    """Make a user who signs in with name and password."""
    asked = await body_of(request, wire_access.AddUser)
    made = await house_of(request).staff.add_user(
        asked.name,
        asked.password,
        asked.role,
        asked.account,
        by=person_of(request),
        why=asked.reason,
    )
    return wire_access.user(made)


@post("/v1/users/{name:str}/disable", status_code=200, opt={"body": wire.Action})
async def disable_user(request: Asked, name: FromPath[str]) -> wire_access.UserView:
    """Let a user in no more; its sessions end at once."""
    asked = await body_of(request, wire.Action)
    staff = house_of(request).staff
    return wire_access.user(await staff.disable(name, by=person_of(request), why=asked.reason))


@post("/v1/users/{name:str}/enable", status_code=200, opt={"body": wire.Action})
async def enable_user(request: Asked, name: FromPath[str]) -> wire_access.UserView:
    """Let a user in again."""
    asked = await body_of(request, wire.Action)
    staff = house_of(request).staff
    return wire_access.user(await staff.enable(name, by=person_of(request), why=asked.reason))


@post("/v1/users/{name:str}/role", status_code=200, opt={"body": wire_access.SetRole})
async def set_role(request: Asked, name: FromPath[str]) -> wire_access.UserView:
    """Give a user another role; its sessions end at once."""
    asked = await body_of(request, wire_access.SetRole)
    staff = house_of(request).staff
    changed = await staff.set_role(name, asked.role, by=person_of(request), why=asked.reason)
    return wire_access.user(changed)


@post("/v1/users/{name:str}/password", status_code=200, opt={"body": wire_access.SetPassword})
async def set_password(request: Asked, name: FromPath[str]) -> wire_access.UserView:
    """Give another user a new password; its sessions end at once."""
    asked = await body_of(request, wire_access.SetPassword)
    by = person_of(request)
    staff = house_of(request).staff
    changed = await staff.set_password(name, asked.password, by=by, why=asked.reason)
    return wire_access.user(changed)


@get("/v1/tokens")
async def list_tokens(request: Asked) -> wire.Page[wire_access.TokenView]:
    """List the tokens, newest first, without their secrets."""
    query_of(request, wire.Nothing)
    found = await house_of(request).staff.tokens(person_of(request))
    return wire.Page([wire_access.token(one) for one in found])


@post("/v1/tokens", status_code=200, opt={"body": wire_access.AddToken})
async def add_token(request: Asked) -> wire_access.TokenView:
    """Make a token for a program; its secret is shown this once."""
    asked = await body_of(request, wire_access.AddToken)
    made = await house_of(request).staff.add_token(
        asked.name,
        asked.role,
        asked.account,
        only=asked.only,
        days=asked.days,
        by=person_of(request),
        why=asked.reason,
    )
    return wire_access.issued(made)


@post("/v1/tokens/{token_id:str}/revoke", status_code=200, opt={"body": wire.Action})
async def revoke_token(request: Asked, token_id: FromPath[str]) -> wire_access.TokenView:
    """Let a token open nothing any more."""
    asked = await body_of(request, wire.Action)
    staff = house_of(request).staff
    gone = await staff.revoke_token(token_id, by=person_of(request), why=asked.reason)
    return wire_access.token(gone)


HANDLERS = (
    list_users,
    add_user,
    disable_user,
    enable_user,
    set_role,
    set_password,
    list_tokens,
    add_token,
    revoke_token,
)

"""Sessions: sign in, sign out, who am I."""

import math
from typing import Final

from litestar import Response, delete, get, post

from holdfast.api import wire, wire_access
from holdfast.api.guard import cookie, csrf, session_secret
from holdfast.api.problem import Refused
from holdfast.api.request import Asked, body_of, house_of, principal_of, query_of
from holdfast.model.access import Means

PATH: Final = "/v1/session"


@post(PATH, status_code=200, opt={"body": wire_access.SignIn})
async def sign_in(request: Asked) -> Response[wire_access.SessionView]:
    """Begin a session: the browser gets a cookie that scripts cannot read.

    A session ends after 30 minutes without a request, and after 12 hours; a GET with the header
    `Holdfast-Background` is none: an open page asks by itself. After five wrong
    passwords a name has to wait.
    """
    asked = await body_of(request, wire_access.SignIn)
    headers = dict(request.scope["headers"])
    client = request.scope.get("client")
    address = str(client[0]) if client else "?"
    desk = house_of(request).desk
    if wait := desk.wait_ms(asked.user, address):
        seconds = math.ceil(wait / 1000)
        raise Refused(
            429,
            "TOO_MANY_TRIES",
            f"too many tries to sign in; come back in {seconds} s",
            headers={"Retry-After": str(seconds)},
        )
    old = session_secret(headers)
    signed = await desk.sign_in(asked.user, asked.password, address, old)
    if signed is None:
        detail = "the name or the password is wrong, or the user is disabled"
        raise Refused(401, "WRONG_PASSWORD", detail, field="password")
    shown = wire_access.session(signed.principal, csrf(signed.secret))
    return Response(shown, headers={"Set-Cookie": cookie(headers, signed.secret)})


@get(PATH)
async def show_session(request: Asked) -> wire_access.SessionView:
    """Show who asks, what it may do, and what its changes must carry."""
    query_of(request, wire.Nothing)
    principal = principal_of(request)
    secret = session_secret(dict(request.scope["headers"]))
    mark = csrf(secret) if principal.kind is Means.USER and secret else ""
    return wire_access.session(principal, mark)


@delete(PATH, status_code=200)
async def sign_out(request: Asked) -> Response[wire_access.SessionView]:
    """End the session; the browser forgets the cookie."""
    principal = principal_of(request)
    await house_of(request).desk.sign_out(principal)
    gone = cookie(dict(request.scope["headers"]), None)
    return Response(wire_access.session(principal, ""), headers={"Set-Cookie": gone})


@post(f"{PATH}/password", status_code=200, opt={"body": wire_access.NewPassword})
async def change_password(request: Asked) -> wire_access.UserView:
    """Change one's own password; all one's sessions end, this one too."""
    asked = await body_of(request, wire_access.NewPassword)
    staff = house_of(request).staff
    changed = await staff.change_password(asked.old, asked.new, by=principal_of(request))
    return wire_access.user(changed)


HANDLERS = (sign_in, show_session, sign_out, change_password)

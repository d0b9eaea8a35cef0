"""What each operation of the API needs. One that is not here is refused to everybody."""

from collections.abc import Mapping
from typing import Final

import msgspec

from holdfast.model.access import Permission


class Need(msgspec.Struct, frozen=True):
    """What an operation needs.

    Attributes:
        permission: None: nothing but to be known.
        whole: it shows or changes more than one account, so it is not for who is bound to one.
    """

    permission: Permission | None = None
    whole: bool = False


OPEN: Final = frozenset({"healthz", "readyz", "sign_in"})
"""Operations that ask for nobody."""

_KNOWN: Final = ("show_session", "sign_out", "change_password", "describe")
_READ: Final = (
    *("find_deliveries", "count_deliveries", "show_delivery", "list_attempts", "show_message"),
    *("list_recipients", "show_recipient", "show_breaker", "list_flows", "show_flow"),
    *("list_operations", "show_operation", "list_results", "preview_operation"),
    *("list_events", "show_overview", "stream"),
    *("list_groups", "list_alerts", "list_critical", "show_group", "show_review", "show_lineage"),
)
_ACT: Final = (
    *("redrive", "cancel", "discard", "undo", "prove", "reschedule", "replay", "revoke_consent"),
    *("start_operation", "pause_operation", "resume_operation", "cancel_operation"),
    *("undo_operation", "assign", "edit_delivery"),
    *("assign_group", "resolve_group", "ignore_group", "reopen_group"),
    *("judge_group", "attribute_group"),
)
_STEER: Final = ("pause", "resume", "open_breaker", "reset_breaker")
_MANAGE: Final = (
    *("list_users", "add_user", "disable_user", "enable_user", "set_role", "set_password"),
    *("list_tokens", "add_token", "revoke_token"),
)
_CONFIGURE: Final = ("propose_configuration", "approve_configuration", "reject_configuration")
_CONFIGURED: Final = ("list_configurations", "show_configuration")

NEEDS: Final[Mapping[str, Need]] = {
    **dict.fromkeys(_KNOWN, Need()),
    **dict.fromkeys(_READ, Need(Permission.READ)),
    **dict.fromkeys(("list_signals", "list_workers", "metrics"), Need(Permission.READ, whole=True)),
    **dict.fromkeys(("list_notes", "export_audit"), Need(Permission.AUDIT)),
    "reveal_payload": Need(Permission.REVEAL),
    "verify_audit": Need(Permission.AUDIT, whole=True),
    **dict.fromkeys(("send_message", "send_batch"), Need(Permission.SEND)),
    **dict.fromkeys(_ACT, Need(Permission.ACT)),
    **dict.fromkeys(_STEER, Need(Permission.STEER)),
    **dict.fromkeys(("elevate", "lower", "recover_recipient"), Need(Permission.EMERGENCY)),
    "set_signal": Need(Permission.STEER, whole=True),
    "purge": Need(Permission.PURGE, whole=True),
    **dict.fromkeys(_MANAGE, Need(Permission.MANAGE)),
    **dict.fromkeys(_CONFIGURED, Need(Permission.AUDIT, whole=True)),
    **dict.fromkeys(_CONFIGURE, Need(Permission.CONFIGURE, whole=True)),
}
"""Operation id of the OpenAPI document -> what it needs."""

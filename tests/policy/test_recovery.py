"""What a history says of failures."""

import pytest

from holdfast.model.judgement import Nature
from holdfast.policy.recovery import presumed


@pytest.mark.parametrize(
    ("recovered", "lost", "nature"),
    [
        (9, 1, Nature.TEMPORARY),
        (0, 10, Nature.PERMANENT),
        (0, 0, None),
        (2, 0, None),
        (0, 2, None),
        (3, 0, Nature.TEMPORARY),
        (0, 3, Nature.PERMANENT),
        (5, 5, None),
        (6, 4, None),
        (600, 400, Nature.TEMPORARY),
    ],
)
def test_a_history_labels_failures(recovered: int, lost: int, nature: Nature | None) -> None:
    """Nine of ten and none of ten are those of S1.3; too few say nothing."""
    assert presumed(recovered, lost) is nature
    other = {Nature.TEMPORARY: Nature.PERMANENT, Nature.PERMANENT: Nature.TEMPORARY, None: None}
    assert presumed(lost, recovered) is other[nature]

"""What `python -m stack fault` refuses: a service that finds it in its file takes all of the file for no fault."""

import pytest

from stack.cli_faults import require_understood, switch
from stack.errors import StackError


@pytest.mark.parametrize(
    "given",
    [
        "unredy=true",
        "slow_calls=0.5",
        'slow_calls={"inference": "long"}',
        'slow_calls={"inference": -1}',
        "slow_warmup=-1",
        "slow_warmup=NaN",
        "slow_warmup=Infinity",
        'unready="later"',
        'failing_calls="inference"',
        "failing_checks={}",
        "leaked_mb=10000",
        "leaked_mb=0.5",
        "moved_clock=1e10",
        "deadly_text=3",
        'deadly_text="\\ud800"',
        'until="tomorrow"',
        "until=1",
        'until="1"',
    ],
)
def test_what_a_service_does_not_understand_is_refused(given: str) -> None:
    """A wrong name or value is refused, and the error names the switch."""
    name, value = switch(given)
    with pytest.raises(StackError, match=f"^{name}"):
        require_understood({"blocked_loop": False, name: value})


def test_what_is_wrong_is_told_with_what_would_be_right() -> None:
    """The error has the limit and the meaning of the switch, or the names of all switches."""
    with pytest.raises(StackError, match=r"^slow_warmup=-1: .*greater than or equal to 0 \(how much longer the start"):
        require_understood({"slow_warmup": -1})
    with pytest.raises(StackError, match=r"^unredy: no fault switch; there are slow_warmup, .*unready"):
        require_understood({"unredy": True})


def test_right_switches_are_taken() -> None:
    """Several at once, with whole numbers and names."""
    require_understood(
        {"slow_calls": {"inference": 0.5}, "failing_checks": ["postgres"], "until": None, "leaked_mb": 8}
    )

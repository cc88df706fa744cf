"""What the tests of all parts use to run real gunicorn processes and watch them from outside."""

from tests.harness.gunicorn import Gunicorn
from tests.harness.http import get, outcome
from tests.harness.load import Ledger, Load
from tests.harness.metrics import answers
from tests.harness.watch import Watch

__all__ = ["Gunicorn", "Ledger", "Load", "Watch", "answers", "get", "outcome"]

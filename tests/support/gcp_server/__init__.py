"""A stand-in for the Compute Engine API, strict where the real one is: see server.py."""

from tests.support.gcp_server.faults import Fault, Faults, Harm
from tests.support.gcp_server.server import GcpServer, Row
from tests.support.gcp_server.timeline import Instant, Timeline, Verdict

__all__ = ["Fault", "Faults", "GcpServer", "Harm", "Instant", "Row", "Timeline", "Verdict"]

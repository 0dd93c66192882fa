"""What to do about an account: ten playbooks, and which of them its reasons call for. Pure functions over plain values."""

from service.playbooks.catalogue import PLAYBOOKS, Playbook, find
from service.playbooks.relevance import Recommendation, best, recommend

__all__ = ["PLAYBOOKS", "Playbook", "Recommendation", "best", "find", "recommend"]

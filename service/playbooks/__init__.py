"""Ten playbooks, and which of them fit an account. Pure functions."""

from service.playbooks.catalogue import PLAYBOOKS, Playbook, find
from service.playbooks.relevance import Recommendation, best, recommend

__all__ = ["PLAYBOOKS", "Playbook", "Recommendation", "best", "find", "recommend"]

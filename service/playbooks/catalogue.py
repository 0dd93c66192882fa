"""The ten playbooks. Their ids never change: clients and stored insights refer to them."""

from typing import Any, Final, Literal, NamedTuple

from service.scoring.factors import LABELS

Priority = Literal["High", "Medium", "Low"]
DATA_HYGIENE: Final = 10


class Playbook(NamedTuple):
    """`weights` say how well (0..1) it addresses a factor with a negative impact, by code.

    `coverage_below` is for the playbook that addresses missing data: it applies to accounts whose
    coverage is lower.
    """

    id: int
    title: str
    description: str
    category: str
    priority: Priority
    estimated_effort: str
    weights: tuple[tuple[str, float], ...]
    steps: tuple[str, ...]
    coverage_below: float | None = None

    @property
    def triggers(self) -> tuple[str, ...]:
        """Factor codes."""
        return tuple(code for code, _ in self.weights)

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "title": self.title,
            "description": self.description,
            "category": self.category,
            "priority": self.priority,
            "estimated_effort": self.estimated_effort,
            "triggers": self.triggers,
            "risk_factors": [LABELS[code] for code in self.triggers],
            "coverage_below": self.coverage_below,
            "steps": self.steps,
        }


PLAYBOOKS: Final = (
    Playbook(
        1, "Executive value review",
        "Show the sponsor what the product has returned, and agree on what comes next.",
        "Executive alignment", "High", "2 weeks",
        (("review_recency", 0.5), ("time_to_value", 0.4), ("nps", 0.3), ("seat_utilisation", 0.2)),
        (
            "Collect the outcomes that the customer bought the product for, and where they stand.",
            "Have the sponsor's own team confirm the figures before the meeting.",
            "Meet the sponsor: results first, then obstacles, then the plan.",
            "Send the agreed next steps with an owner and a date each.",
        ),
    ),
    Playbook(
        2, "Feature campaign",
        "Bring a feature that few use to the teams that it was made for.",
        "Adoption", "Medium", "3 weeks",
        (("feature_adoption", 0.7), ("weekly_activity", 0.2), ("session_length", 0.2)),
        (
            "Find the teams whose work the feature fits, and who of them uses it already.",
            "Show it to each team with an example from its own data.",
            "Follow up in the product and by mail with one task a week.",
            "Compare its use after a month, and keep what worked.",
        ),
    ),
    Playbook(
        3, "Technical clean-up",
        "Clear the open incidents and remove what keeps causing them.",
        "Support", "High", "2 weeks",
        (("critical_tickets", 0.6), ("sla_breaches", 0.5), ("ticket_volume", 0.4)),
        (
            "Group the tickets of the last quarter by cause.",
            "Name one engineer who owns the critical ones until they are closed.",
            "Agree with the customer on an order, and report twice a week.",
            "Close with what was changed so that it does not come back.",
        ),
    ),
    Playbook(
        4, "User training",
        "Help licensed people who do not use the product, or only briefly, to do their work in it.",
        "Adoption", "Medium", "2 weeks",
        (
            ("session_length", 0.5), ("seat_utilisation", 0.5), ("feature_adoption", 0.3),
            ("ticket_volume", 0.3), ("onboarding", 0.2),
        ),
        (
            "List who has a seat and has not signed in, or leaves after a few minutes, by team.",
            "Hold one short session for each role, on its own tasks.",
            "Offer an hour a week for questions, for a month.",
            "Look at sign-ins and session length again, and give idle seats to others.",
        ),
    ),
    Playbook(
        5, "Quarterly goal planning",
        "Bring the business review back, with goals that both sides can measure.",
        "Executive alignment", "Medium", "1 week",
        (("review_recency", 0.6),),
        (
            "Date the next business review and the three after it.",
            "Ask the customer for the goals of the quarter before bringing any.",
            "Turn each into a measure that the product can show.",
            "Record owner, measure and date, and open the next review with them.",
        ),
    ),
    Playbook(
        6, "Champion building",
        "Find people inside who gain from the product, and help them to carry it on.",
        "Relationship", "Medium", "4 weeks",
        (("weekly_activity", 0.6), ("seat_utilisation", 0.4)),
        (
            "Find the most active people and the teams around them that are not.",
            "Ask two or three of them to be first to see what is new, in exchange for feedback.",
            "Give them material to show their colleagues.",
            "Thank them by name in the next business review.",
        ),
    ),
    Playbook(
        7, "Detractor follow-up",
        "Talk to those who would not recommend the product, and close the loop.",
        "Advocacy", "High", "1 week",
        (("nps", 0.7),),
        (
            "Read what detractors wrote, and call each within two working days.",
            "Sort what they say into what is broken, missing and unclear.",
            "Answer each in writing: what will change, by when, or why not.",
            "Ask again after the change.",
        ),
    ),
    Playbook(
        8, "Integration review",
        "Get the setup to the point where the product does what it was bought for.",
        "Onboarding", "High", "3 weeks",
        (("onboarding", 0.6), ("time_to_value", 0.5)),
        (
            "Compare the setup that was planned with the one that runs.",
            "List what is missing between the customer's systems and the product.",
            "Bring both sides' engineers together until the first outcome is reached.",
            "End the onboarding in writing, with the date of the first outcome.",
        ),
    ),
    Playbook(
        9, "Renewal rescue",
        "Win a renewal that is near while much of what was bought lies idle.",
        "Renewal", "High", "2 weeks",
        (("renewal_pressure", 0.97), ("seat_utilisation", 0.3)),
        (
            "Bring account manager, success manager and support together today.",
            "Ask the sponsor openly what the renewal depends on.",
            "Offer a plan for the idle seats, or the right number of them.",
            "Meet weekly until it is signed.",
        ),
    ),
    Playbook(
        DATA_HYGIENE, "Data hygiene",
        "Fill in what is not known of the account, so that its health can be judged.",
        "Data", "Low", "1 day",
        (),
        (
            "See which of the score's components are unknown.",
            "Ask the account's owner, and connect the systems that know.",
            "Import the numbers, and look at the score again.",
        ),
        coverage_below=0.6,
    ),
)  # fmt: skip

_BY_ID: Final = {playbook.id: playbook for playbook in PLAYBOOKS}


def find(playbook_id: int) -> Playbook | None:
    return _BY_ID.get(playbook_id)

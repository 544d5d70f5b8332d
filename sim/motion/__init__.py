"""Who moves what when: plans and timelines of arms, the head's way, the person who does it."""

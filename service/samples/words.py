"""Random company names. Two seeds rarely generate the same name."""

from random import Random
from typing import Final

FIRST: Final = (
    "Alder", "Amber", "Ashen", "Aspen", "Bay", "Beacon", "Birch", "Blue", "Bramble", "Bright",
    "Briar", "Canyon", "Cedar", "Cinder", "Clear", "Cobalt", "Copper", "Coral", "Crane", "Crest",
    "Dawn", "Delta", "Drift", "Dune", "Eagle", "Echo", "Elm", "Ember", "Fern", "Field", "Finch",
    "Flint", "Frost", "Garnet", "Glen", "Golden", "Granite", "Grove", "Harbor", "Hazel", "Heron",
    "High", "Hollow", "Indigo", "Iron", "Ivory", "Juniper", "Kestrel", "Lake", "Larch", "Laurel",
    "Lumen", "Maple", "Marble", "Meadow", "Mesa", "Mist", "Moss", "North", "Oak", "Onyx", "Orchard",
    "Pebble", "Pine", "Prairie", "Quartz", "Quill", "Raven", "Reed", "Ridge", "River", "Rowan",
    "Sable", "Sage", "Shale", "Silver", "Slate", "Spruce", "Stone", "Summit", "Swift", "Thistle",
    "Timber", "Umber", "Vale", "Violet", "Willow", "Wren", "Yarrow", "Zephyr",
)  # fmt: skip

SECOND: Final = (
    "Bank", "Bend", "Bluff", "Bridge", "Brook", "Castle", "Cliff", "Cove", "Creek", "Cross", "Dale",
    "Falls", "Ferry", "Ford", "Gate", "Haven", "Head", "Hill", "Island", "Landing", "Light",
    "Marsh", "Mill", "Moor", "Narrows", "Park", "Pass", "Peak", "Point", "Pond", "Quay", "Reach",
    "Rock", "Row", "Shore", "Spring", "Square", "Terrace", "Trail", "Valley", "View", "Wharf",
    "Wood", "Works", "Yard",
)  # fmt: skip

TRADES: Final = {
    "Technology": ("Software", "Systems", "Labs", "Cloud", "Data", "Robotics"),
    "Finance": ("Capital", "Credit", "Payments", "Insurance", "Treasury", "Advisors"),
    "Healthcare": ("Health", "Clinics", "Diagnostics", "Care", "Therapeutics", "Medical"),
    "Manufacturing": ("Industries", "Components", "Tooling", "Materials", "Plastics", "Machinery"),
    "Retail": ("Stores", "Outfitters", "Goods", "Market", "Home", "Supply"),
    "Logistics": ("Logistics", "Freight", "Shipping", "Warehousing", "Couriers", "Transit"),
    "Education": ("Learning", "Academy", "Schools", "Press", "Tutoring", "Campus"),
    "Energy": ("Energy", "Solar", "Grid", "Power", "Utilities", "Storage"),
}
"""By industry."""

CITIES: Final = (
    "Aarhus", "Adelaide", "Almaty", "Antwerp", "Austin", "Bergen", "Bilbao", "Boise", "Bristol",
    "Busan", "Calgary", "Cork", "Da Nang", "Denver", "Durban", "Fukuoka", "Gdansk", "Geneva",
    "Ghent", "Graz", "Halifax", "Hobart", "Izmir", "Kigali", "Leeds", "Lisbon", "Lyon", "Malmo",
    "Medellin", "Merida", "Nairobi", "Nantes", "Natal", "Oslo", "Ottawa", "Penang", "Perth",
    "Porto", "Pune", "Quito", "Reno", "Riga", "Rosario", "Seville", "Split", "Tacoma", "Tallinn",
    "Tampere", "Toledo", "Tucson", "Turin", "Utrecht", "Vilnius", "Zagreb",
)  # fmt: skip

REGIONS: Final = ("North America", "EMEA", "APAC", "LATAM")

OWNERS: Final = (
    "Ada Brandt", "Bo Lindqvist", "Carmen Ruiz", "Dev Mehta", "Elif Kaya", "Femi Adeyemi",
    "Grace Okafor", "Hana Sato", "Ines Moreau", "Jonas Weber", "Kofi Mensah", "Lena Novak",
)  # fmt: skip


def company(draw: Random) -> tuple[str, str]:
    """Return a random company name and its industry."""
    industry = draw.choice(tuple(TRADES))
    first, second, trade = draw.choice(FIRST), draw.choice(SECOND), draw.choice(TRADES[industry])
    return f"{first} {second} {trade}, {draw.choice(CITIES)}", industry

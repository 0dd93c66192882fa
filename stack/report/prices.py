"""List prices in US dollars without free allowances and discounts.

They are those of us-east-1 where they differ by region.

As of the day below, from the vendors' pages that are named beside them. Check the page before you
rely on a price; when one has changed, correct it here, with the day.
"""

AS_OF = "2026-11-26"

# "AWS Lambda Pricing"
LAMBDA_REQUEST = 0.20 / 1e6
LAMBDA_GB_SECOND = {"x86_64": 0.0000166667, "arm64": 0.0000133334}  # first tier

# "Amazon API Gateway pricing", HTTP APIs: the first 300 million requests a month, and those above
HTTP_API_REQUEST = 1.00 / 1e6
HTTP_API_REQUEST_ABOVE = 0.90 / 1e6
HTTP_API_TIER = 300e6

# "Amazon EventBridge Pricing", Scheduler; 14 million invocations a month are free
SCHEDULER_INVOCATION = 1.00 / 1e6

# "Amazon CloudWatch Pricing", logs of class Standard, first tier
LOG_GB_INGESTED = 0.50
LOG_GB_MONTH = 0.03
LOG_COMPRESSION = 0.15  # stored bytes for each ingested byte, as that page calculates

# "Neon pricing", plan Launch
NEON_CU_HOUR = 0.106

PAGES = (
    "AWS Lambda Pricing",
    "Amazon API Gateway pricing",
    "Amazon EventBridge Pricing (Scheduler)",
    "Amazon CloudWatch Pricing",
    "Neon pricing (Launch)",
)

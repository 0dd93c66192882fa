"""The table: resource type → realiser. Only this package knows the providers' type tokens and names."""

from collections.abc import Mapping

from local.bindings import apigatewayv2, cloudwatch, iam, lambda_, neon, vercel
from local.realise import Realiser

REALISERS: Mapping[str, Realiser] = {
    realiser.type: realiser for module in (neon, apigatewayv2, cloudwatch, iam, lambda_, vercel) for realiser in module.realisers()
}

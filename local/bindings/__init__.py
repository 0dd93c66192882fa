"""The tables: resource type → realiser, function → what answers it. Only this package knows the providers' type tokens and names."""

from collections.abc import Mapping

from local.bindings import apigatewayv2, cloudwatch, iam, lambda_, neon, neon_branch, vercel
from local.realise import Function, Realiser

REALISERS: Mapping[str, Realiser] = {
    realiser.type: realiser
    for module in (neon, neon_branch, apigatewayv2, cloudwatch, iam, lambda_, vercel)
    for realiser in module.realisers()
}
FUNCTIONS: Mapping[str, Function] = {function.token: function for module in (neon, neon_branch) for function in module.functions()}

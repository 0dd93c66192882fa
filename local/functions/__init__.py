"""Lambda's data plane on one machine: published versions of functions, invoked in execution environments."""

from local.functions.environment import InitError
from local.functions.invocation import Invocation
from local.functions.pool import ThrottledError
from local.functions.runtime import FunctionVersion
from local.functions.service import Functions, PayloadTooLargeError, trace_id

__all__ = ["FunctionVersion", "Functions", "InitError", "Invocation", "PayloadTooLargeError", "ThrottledError", "trace_id"]

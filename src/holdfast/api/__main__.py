"""`python -m holdfast.api` writes the OpenAPI description to standard output."""

import sys

from holdfast.api.door import HANDLERS
from holdfast.api.schema import openapi

sys.stdout.buffer.write(openapi(HANDLERS))

"""The contract as documents: OpenAPI for HTTP, AsyncAPI for sockets, and a page for people.

They are made from the table of commands and from the endpoints that a server has.
"""

from .endpoints import document_endpoints as document_endpoints

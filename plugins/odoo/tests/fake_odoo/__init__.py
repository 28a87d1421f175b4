"""An Odoo for tests: XML-RPC, JSON-RPC and JSON-2 over real HTTP, as 17 and 19 were seen to answer."""

"""Odoo for aie: invoices, payments and expenses, in and out."""

"""Parcels for aie."""

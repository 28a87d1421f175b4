"""Calendars for aie: events before appointments begin, and appointments made once."""

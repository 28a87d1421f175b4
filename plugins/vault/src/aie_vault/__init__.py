"""A vault of Markdown notes for aie: files as events, notes as actions, approvals by moving a note."""

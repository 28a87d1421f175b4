"""Mail for aie: new mail as events, mail sent once and after a person agreed. Any provider, or Gmail's own API."""

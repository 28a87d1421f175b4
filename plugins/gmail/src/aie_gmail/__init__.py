"""Mail for aie: new mail as events, mail sent once and after a person agreed. Any IMAP and SMTP provider, or Gmail's API."""

"""Images as the network sees them: decoded, normalized to 28×28, ink bright on dark."""

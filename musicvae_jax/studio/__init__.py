"""The transition studio: a page in the browser, served from this machine."""

"""One integration for each UI. Each imports the UI's own modules, so nothing here is imported until its UI asks."""

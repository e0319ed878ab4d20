"""The studio without a server: a folder with the model and a page that runs it in any browser."""

"""How good a model is: measured on songs that it has not seen."""

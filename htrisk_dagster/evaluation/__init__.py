"""How good a forecast was: metrics, intervals by week, folds, and the choice of a champion."""

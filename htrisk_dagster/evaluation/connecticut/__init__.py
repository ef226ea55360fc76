"""How good the forecasts by police agency are, on Connecticut's NIBRS files: 2021 to 2022."""

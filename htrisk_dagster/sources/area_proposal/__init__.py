"""From a city's file to a study area: what its columns seem to be, and the file that says so."""

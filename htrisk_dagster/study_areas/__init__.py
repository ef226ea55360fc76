"""One declarative file a place: boundary, CRS, grid, sources, offence groups, target."""

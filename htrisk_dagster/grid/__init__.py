"""Space: the cells of a study area, their neighbours, incidents placed on them."""

"""Where reported incidents concentrate: local statistics, emerging hot spots, densities, clusters."""

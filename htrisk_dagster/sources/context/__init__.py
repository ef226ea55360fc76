"""What is known of places from outside: census, hotels, stations, places of interest, news, adverts."""

"""One person's study, from files to answers: clips are read frame by frame and lesions followed along them."""

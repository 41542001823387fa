"""Generated breast ultrasound images, videos and volumes with known lesions."""

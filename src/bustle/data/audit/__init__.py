"""What a data set holds, what is missing, broken or there twice."""

"""What can be measured of a lesion from its outline and its grey values, and said in words of BI-RADS."""

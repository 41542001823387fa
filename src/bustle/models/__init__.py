"""Networks, what their outputs mean, and the device that they run on."""

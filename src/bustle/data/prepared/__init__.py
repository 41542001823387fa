"""Cases brought to the network's grid and kept in a cache; maps brought back to the original grid."""

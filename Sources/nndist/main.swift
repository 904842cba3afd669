print("nndist")

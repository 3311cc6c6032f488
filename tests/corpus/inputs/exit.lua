local t = {} for i = 1, 100 do t[i] = i .. "" end
os.exit(3)

local all = {}

for i = 1, math.huge do
  all[i] = ("x"):rep(1000) .. i
end

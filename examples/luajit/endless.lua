-- Counts for ever.
local function count(n) while true do n = n + 1 end end

print "counting"
count(0)

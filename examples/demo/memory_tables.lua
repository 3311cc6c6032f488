-- expect: memory limit
-- Millions of small tables, all kept.
local hoard = {}
for i = 1, math.maxinteger do
    hoard[i] = {i, tostring(i), {}}
end

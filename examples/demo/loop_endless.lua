-- expect: time limit
-- A loop in Lua that never ends, and that no pcall gets out of.
local n = 0
while true do
    pcall(function() while true do n = n + 1 end end)
end

-- expect: time limit
-- An endless loop in Lua, which no pcall can stop.
local n = 0
while true do
    pcall(function() while true do n = n + 1 end end)
end

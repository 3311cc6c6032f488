-- expect: null pointer access
-- A null write, three Lua coroutines deep. The report shows the Lua frames of
-- each coroutine.
local buggy = require("buggy")
local function innermost()
    return buggy.null_write()
end
local middle = coroutine.wrap(function()
    local inner = coroutine.create(innermost)
    return coroutine.resume(inner)
end)
local outer = coroutine.wrap(function() return middle() end)
print(outer())
